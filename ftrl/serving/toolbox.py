"""A task as a stranger may see it: the question, and tools to call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ftrl.environments import Environment
from ftrl.errors import FtrlError
from ftrl.sandbox import Call, CallResult, CallStatus, Sandbox
from ftrl.tool_calls import ParsedCall, mended

Arguments = Mapping[str, Any] | str | None
"""Of a call: an object, the JSON text of one as a model wrote it, or nothing, which is an empty object."""

NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}


class Reply(NamedTuple):
    """What the caller of a tool is shown: to the letter what the episode loop shows a policy."""

    text: str
    status: CallStatus

    @property
    def failed(self) -> bool:
        """Whether the call failed; the text then tells why."""
        return self.status is not CallStatus.OK


class ToolDocument(NamedTuple):
    """A tool as it is offered.

    Attributes:
        name: as it is called.
        description: for whoever chooses a tool.
        parameters: the JSON schema of its arguments, as the task has it.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]


class Toolbox:
    """Question and tools of one task. What would give the answer away is not in it: golds, answer, trace, scenario.

    Args:
        environment: the task.
        sources: tool name → source.
        sandbox: where the tools run. Many toolboxes may share one.
    """

    def __init__(self, environment: Environment, sources: Mapping[str, str], sandbox: Sandbox) -> None:
        self.id = environment.id
        self.question = environment.question
        self.tools = tuple(_document(tool["function"]) for tool in environment.tools)
        self._sources = dict(sources)
        self._sandbox = sandbox

    async def call(self, name: str, arguments: Arguments) -> Reply:
        """Call a tool. A tool that does not exist, or that fails, answers with the text that tells so.

        Raises:
            FtrlError: the call could not be run, through a fault of ours; it may be made again.
        """
        call = made_call(name, arguments)
        result = (await self._sandbox.run_async([Call(call.name, call.arguments, self._sources.get(call.name))]))[0]
        if result.status is CallStatus.INFRASTRUCTURE:
            raise FtrlError(f"the call of {call.name} could not be run ({result.output}); make it again")
        return reply(result)


def made_call(name: str, arguments: Arguments) -> ParsedCall:
    """A call as the sandbox and the scores take it."""
    text = arguments if isinstance(arguments, str) else json.dumps(dict(arguments or {}), ensure_ascii=False)
    return ParsedCall(mended(name), mended(text))


def reply(result: CallResult) -> Reply:
    """What a result looks like from outside."""
    return Reply(mended(result.output), result.status)


def _document(function: Mapping[str, Any]) -> ToolDocument:
    return ToolDocument(
        str(function["name"]), str(function.get("description") or ""), function.get("parameters") or NO_PARAMETERS
    )
