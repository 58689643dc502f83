"""What each turn of an episode earned: its reward, shared out so that the shares sum to the whole.

A turn's share is what the episode had earned after it less what it had earned before it, by the same score of the same
calls. So a turn that brings back a gold gains, one whose calls bring nothing loses what they take off the score, and
words change nothing. Before the first turn nothing is earned, also where a profile pays for silence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from ftrl.rewards import Context, Scoreboard, ScoredTask, TrajectoryMetrics, Turn, profile_named, profiles_from
from ftrl.rollouts import EpisodeSettings
from ftrl.rollouts.episode import ToolRunner
from ftrl.sandbox import Call, CallResult


class TurnLedger:
    """The sandbox of one episode, which remembers what it returned: the turns can be scored again, one by one.

    Args:
        sandbox: where the calls run.
        task: whose episode it is.
        settings: of the episode; its calls are read by the parser of the profile.
    """

    def __init__(self, sandbox: ToolRunner, task: ScoredTask, settings: EpisodeSettings) -> None:
        self._sandbox = sandbox
        self._task = task
        self._shown = settings.max_output_chars
        self._profiles = profiles_from(profile_named(settings.profile))
        self._returned: list[list[CallResult]] = []

    async def run_async(self, calls: Sequence[Call]) -> list[CallResult]:
        """One result a call, in order."""
        results = await self._sandbox.run_async(calls)
        self._returned.append(results)
        return results

    def rewards(self, said: Sequence[str], earned: Callable[[TrajectoryMetrics], float]) -> list[float]:
        """What each turn earned under the profile of the settings; no call is run again.

        Args:
            said: the episode's turns.
            earned: what an episode with these metrics earns.
        """
        golds = [(gold.tool, gold.value) for gold in self._task.environment.golds]
        context = Context(self._task.facts, shown=self._shown)
        boards = [Scoreboard(golds, profile, context) for profile in self._profiles]
        returned, so_far = iter(self._returned), [0.0]
        for text in said:
            turn = Turn([profile.parser(text) for profile in self._profiles], boards, self._task.sources, played=True)
            probes = turn.probes(next(returned) if turn.calls else [])
            turn.settle(next(returned) if probes else [])
            so_far.append(earned(boards[0].metrics()))
        return [after - before for before, after in pairwise(so_far)]
