"""What the strict profile asks of a call whose output holds a gold, before it may tick.

In: the call, its output as the model saw it, the open golds that stand there. Out: which of them it may tick, what a
tick is worth, and the probes that must be run before that is certain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ftrl.rewards.arguments import read_arguments
from ftrl.rewards.conformity import conforms
from ftrl.rewards.context import Context
from ftrl.rewards.echo import is_echo
from ftrl.rewards.grounding import Grounds, Standing, assess
from ftrl.tool_calls import ParsedCall

HALF = 0.5
"""Worth of a tick by arguments that the tool's document does not allow, though the tool swallowed them."""


@dataclass(frozen=True)
class Claim:
    """A call, and the golds that its output seems to hold.

    Attributes:
        call: as the model wrote it.
        output: what it was shown of the output.
        golds: the values that stand there.
        context: the task and the calls before; None where nothing is known.
        grounds: what the model could know.
    """

    call: ParsedCall
    output: str
    golds: Sequence[str]
    context: Context | None
    grounds: Grounds | None


@dataclass(frozen=True)
class Verdict:
    """What a claim is worth.

    Attributes:
        holds: for each gold of the claim, whether it may be ticked.
        worth: of a tick, in (0, 1].
        probes: calls to make before ticking; empty where there is no doubt.
        worth_if_probed: of a tick of a gold that a probe brings back as well; 0 means no tick.
    """

    holds: tuple[bool, ...] = ()
    worth: float = 1.0
    probes: tuple[ParsedCall, ...] = ()
    worth_if_probed: float = 0.0


CERTAIN = Verdict()
"""The verdict of a profile that asks nothing."""


def scrutinise(claim: Claim) -> Verdict:
    """Echo, document and grounding, in this order."""
    arguments: Any = read_arguments(claim.call.arguments)
    holds = tuple(not is_echo(claim.output, gold, arguments) for gold in claim.golds)
    if claim.context is None or claim.grounds is None or not any(holds):
        return Verdict(holds)
    worth = 1.0 if conforms(arguments, claim.context.task.document(claim.call.name)) else HALF
    assessment = assess(claim.call, arguments, claim.context, claim.grounds)
    if assessment.standing is Standing.WORTHLESS:
        return Verdict((False,) * len(holds))
    return Verdict(holds, worth, assessment.probes, min(worth, assessment.worth_if_probed))
