"""Calls from a file: the formats of ``ftrl sandbox run``. Any number of lines, in bounded memory, in order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ftrl import storage
from ftrl.errors import InputError
from ftrl.sandbox.calls import Call, CallStatus
from ftrl.sandbox.sandbox import Sandbox

_WHAT_BELONGS = {
    "tools": "it must be an object: tool name to Python source, both text",
    "name": "it must be text: the name of the tool to call",
    "arguments": "it must be an object, or text that holds the JSON a model wrote",
}


class CallLine(BaseModel):
    """One line of CALLS.jsonl."""

    model_config = ConfigDict(strict=True)

    tools: dict[str, str]
    name: str
    arguments: dict[str, Any] | str

    def call(self) -> Call:
        """The call; a name that is not among the tools is a call to a tool that does not exist."""
        text = self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments, ensure_ascii=False)
        return Call(self.name, text, self.tools.get(self.name))


def run_file(calls: str, out: str, sandbox: Sandbox, on_progress: Callable[[int, int], None]) -> dict[CallStatus, int]:
    """Make every call of a CALLS file; ``out`` gets one line of ``output``, ``status`` and ``seconds`` for each.

    Args:
        calls: the file to read, local or s3://.
        out: the file to write, which appears whole when the last call is answered.
        sandbox: where to make them.
        on_progress: told how many calls are answered, and of how many.

    Returns:
        How many calls ended in which status.

    Raises:
        InputError: a line is not as it should be. All lines are checked before the first call is made.
    """
    total = sum(1 for _ in _lines(calls))
    tally: Counter[CallStatus] = Counter()
    with storage.writing(out) as file:
        results = sandbox.stream(line.call() for line in _lines(calls))
        for done, result in enumerate(results, start=1):
            line = {"output": result.output, "status": result.status.value, "seconds": round(result.seconds, 6)}
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            tally[result.status] += 1
            on_progress(done, total)
    return dict(tally)


def _lines(path: str) -> Iterator[CallLine]:
    for number, value in storage.json_lines(path):
        try:
            yield CallLine.model_validate(value)
        except ValidationError as error:
            raise _refusal(error, path, number) from error


def _refusal(error: ValidationError, path: str, number: int) -> InputError:
    first = error.errors()[0]
    field = str(first["loc"][0])
    if first["type"] == "missing":
        return InputError("this field is missing", file=path, line=number, field=field)
    return InputError(_WHAT_BELONGS[field], file=path, line=number, field=field)
