"""Many calls of a candidate's tools in one trip to the sandbox.

Verification asks some forty things of a candidate, and a sandboxed call costs a process. So the golden calls are
made as the trainer will make them, one by one, and all the rest together by ``trial``, which is itself sent into
the sandbox as source. It believes the tools that it runs beside: it catches mistakes, not malice.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ftrl.sandbox import Call, CallResult, CallStatus


@dataclass(frozen=True)
class Outcome:
    """What came of one call.

    Attributes:
        ok: whether the tool returned; it raised otherwise.
        output: what it returned, written as the sandbox writes it, or the text of the error.
        seconds: CPU time, so that a busy machine rejects nothing.
    """

    ok: bool
    output: str
    seconds: float


Tried = tuple[dict[str, str], Sequence[tuple[str, dict[str, Any]]]]
"""The tools of a candidate, name to source, and the calls to make of them: tool, arguments."""


# The sandbox gets the source of this function alone: whatever it or its signature needs must be built in.
def trial(tried: list[tuple[dict[str, str], list[tuple[str, dict[str, object]]]]]) -> list[list[list[object]]]:
    """Make the calls of each candidate, each with a tool defined anew: ``[[[ok, output, seconds], ...], ...]``."""
    import json
    import time

    made: list[list[list[object]]] = []
    for sources, calls in tried:
        programs = {name: compile(source, name, "exec") for name, source in sources.items()}
        outcomes: list[list[object]] = []
        for name, arguments in calls:
            namespace: dict[str, Any] = {}
            exec(programs[name], namespace)
            before = time.process_time()
            try:
                output = namespace[name](**arguments)
                ok = True
            except Exception as error:  # noqa: BLE001  # whatever a tool raises is its answer
                output, ok = str(error), False
            seconds = time.process_time() - before
            text = json.dumps(output, ensure_ascii=False) if isinstance(output, (dict, list)) else str(output)
            outcomes.append([ok, text, seconds])
        made.append(outcomes)
    return made


_SOURCE = inspect.getsource(trial)


def trial_call(tried: Sequence[Tried]) -> Call:
    """All the calls as one."""
    arguments = {"tried": [[sources, [list(call) for call in calls]] for sources, calls in tried]}
    return Call("trial", json.dumps(arguments, ensure_ascii=False), _SOURCE)


def trial_outcomes(result: CallResult) -> list[list[Outcome]] | None:
    """What came of each call of a ``trial_call``, in order; null where the trial did not come to its end."""
    if result.status != CallStatus.OK:
        return None
    return [[Outcome(*outcome) for outcome in outcomes] for outcomes in json.loads(result.output)]
