"""The database of one episode, which only the sandbox ever holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ftrl.evaluation.tau_bench import replaying
from ftrl.evaluation.tau_bench.data import Action, Domain
from ftrl.rewards import Unscorable
from ftrl.rollouts.episode import ToolRunner
from ftrl.sandbox import Call, CallResult, CallStatus

_PROGRAM = Path(replaying.__file__).read_text()


class Session:
    """Makes an episode's calls on a database of its own.

    The sandbox forgets everything after a call. So each call goes there with the database as published and with all
    calls before it, which are made again; the tools are functions of the database and their arguments. A call that
    has to be stopped (time, memory) changes nothing: later ones are made without it.

    Args:
        domain: whose tools and database.
        sandbox: where.
    """

    def __init__(self, domain: Domain, sandbox: ToolRunner) -> None:
        self._domain = domain
        self._sandbox = sandbox
        self._made: list[Action] = []
        self._fixed = f'{{"database": {domain.database}, "sources": {json.dumps(dict(domain.sources))}'

    async def call(self, action: Action) -> CallResult:
        """Make a call; its seconds are those of all that had to be made again before it, too.

        Raises:
            Unscorable: it failed through a fault of ours.
        """
        result = await self._replay([*self._made, action], digest=False)
        if result.status is not CallStatus.OK:
            return result
        self._made.append(action)
        found = json.loads(result.output)
        return CallResult(found["output"], CallStatus.TOOL_ERROR if found["failed"] else CallStatus.OK, result.seconds)

    async def digest(self, actions: Sequence[Action] = ()) -> str:
        """The digest of the database as it is, or as it would be after these actions.

        Raises:
            Unscorable: it failed through a fault of ours, or an action had to be stopped.
        """
        result = await self._replay([*self._made, *actions], digest=True)
        if result.status is not CallStatus.OK:
            raise Unscorable(f"the episode's calls could not be made again: {result.output}")
        return str(json.loads(result.output)["digest"])

    async def _replay(self, actions: Sequence[Action], *, digest: bool) -> CallResult:
        calls = json.dumps([[action.name, action.arguments] for action in actions])
        arguments = f'{self._fixed}, "calls": {calls}, "digest": {json.dumps(digest)}}}'
        (result,) = await self._sandbox.run_async([Call("replay", arguments, _PROGRAM)])
        if result.status is CallStatus.INFRASTRUCTURE:
            raise Unscorable(result.output)
        return result
