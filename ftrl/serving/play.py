"""Keeping score of a task that somebody else's agent plays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ftrl.environments import Environment
from ftrl.rewards import PROFILES, Context, Scoreboard, TrajectoryMetrics, Turn, profile_named
from ftrl.sandbox import Sandbox
from ftrl.serving.toolbox import Arguments, Reply, Toolbox, made_call, reply
from ftrl.tool_calls import ParsedResponse


class Play:
    """One episode, scored turn by turn under every profile. Not for several threads at once.

    Args:
        environment: the task.
        sources: tool name → source.
        sandbox: where the tools run.
    """

    def __init__(self, environment: Environment, sources: Mapping[str, str], sandbox: Sandbox) -> None:
        golds = [(gold.tool, gold.value) for gold in environment.golds]
        context = Context.of(environment)
        self.toolbox = Toolbox(environment, sources, sandbox)
        self.calls = 0
        self._boards = {name: Scoreboard(golds, profile, context) for name, profile in PROFILES.items()}
        self._sources = dict(sources)
        self._sandbox = sandbox

    def turn(self, calls: Sequence[tuple[str, Arguments]]) -> list[Reply]:
        """Make the calls of one turn, (name, arguments) each, side by side.

        Raises:
            Unscorable: a call could not be run, through a fault of ours. Nothing was recorded: the turn may be
                made again.
        """
        response = ParsedResponse(None, tuple(made_call(name, arguments) for name, arguments in calls))
        if not response.calls:
            return []
        turn = Turn([response] * len(self._boards), list(self._boards.values()), self._sources, played=True)
        probes = turn.probes(self._sandbox.run(turn.calls))
        scored = turn.settle(self._sandbox.run(probes) if probes else [])[0]
        self.calls += len(scored)
        return [reply(one.result) for one in scored]

    def metrics(self, profile: str = "strict") -> TrajectoryMetrics:
        """Precision, recall and F1 of the episode so far (paper, section 4.1).

        Raises:
            InputError: there is no such profile.
        """
        return self._boards[profile_named(profile).name].metrics()

    def solved(self, profile: str = "strict") -> bool:
        """Whether every gold has been brought back.

        Raises:
            InputError: there is no such profile.
        """
        return not any(self._boards[profile_named(profile).name].unsolved().values())
