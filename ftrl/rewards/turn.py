"""One turn of a model under several scoring profiles: what must be run, and what it then ticks on each board.

The boards may read the turn differently. All calls that any of them reads are run: first those of the first board,
as they stand, then what only another board reads. A turn that was *played* is
one in which the first board's calls are all that was ever made: what the boards do not agree about counts, to the
others, as calls that could not be read - a call made in thinking was made, and one that was never run brought nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ftrl.rewards.scoreboard import Considered, Scoreboard, ScoredCall
from ftrl.sandbox import Call, CallResult
from ftrl.tool_calls import ParsedCall, ParsedResponse


def sandbox_calls(calls: Sequence[ParsedCall], sources: Mapping[str, str]) -> list[Call]:
    """What the sandbox has to run for a turn; a tool that does not exist has no source."""
    return [Call(call.name, call.arguments, sources.get(call.name)) for call in calls]


class Turn:
    """Three steps: run ``calls``, hand the results to ``probes`` and run those, hand their results to ``settle``.

    Args:
        responses: the turn as each board's parser reads it.
        boards: the boards that it is recorded on, by ``settle``.
        sources: tool name → source.
        played: whether only the first response's calls were made.
    """

    def __init__(
        self,
        responses: Sequence[ParsedResponse],
        boards: Sequence[Scoreboard],
        sources: Mapping[str, str],
        *,
        played: bool = False,
    ) -> None:
        self._responses = tuple(responses)
        self._boards = tuple(boards)
        self._sources = sources
        self._played = played
        self._calls = list(responses[0].calls)
        known = set(self._calls)
        for response in () if played else responses[1:]:
            self._calls += [call for call in dict.fromkeys(response.calls) if call not in known]
            known.update(response.calls)
        self._considered: list[Considered] = []

    @property
    def calls(self) -> list[Call]:
        """The calls to run."""
        return sandbox_calls(self._calls, self._sources)

    def probes(self, results: Sequence[CallResult]) -> list[Call]:
        """The probes to run, knowing what the calls returned; mostly none.

        Raises:
            Unscorable: a call failed through a fault of ours; nothing was recorded.
        """
        if len(self._boards) == 1:  # there is nothing to agree about
            self._considered = [self._boards[0].consider(self._calls, results, self._responses[0].unparsed)]
        else:
            self._considered = self._compared(results)
        return [call for one in self._considered for call in sandbox_calls(one.probes, self._sources)]

    def _compared(self, results: Sequence[CallResult]) -> list[Considered]:
        """The turn as each board sees it: of what was run, the calls that it reads."""
        returned: dict[ParsedCall, list[CallResult]] = {}
        for call, result in zip(self._calls, results, strict=True):
            returned.setdefault(call, []).append(result)
        considered = []
        for response, board in zip(self._responses, self._boards, strict=True):
            made = [call for call in response.calls if call in returned]
            # The same call twice, run twice: each its own result, as far as there are so many.
            left = {call: list(reversed(of_call)) for call, of_call in returned.items()}
            answers = [left[call].pop() if len(left[call]) > 1 else left[call][0] for call in made]
            unread = response.unparsed + len(response.calls) - len(made)
            if self._played:
                unread += sum((Counter(self._calls) - Counter(response.calls)).values())
            considered.append(board.consider(made, answers, unread))
        return considered

    def settle(self, probed: Sequence[CallResult]) -> list[list[ScoredCall]]:
        """Record the turn on every board; the scored calls of each.

        Raises:
            Unscorable: a probe failed through a fault of ours.
        """
        left = iter(probed)
        return [
            board.settle(considered, [next(left) for _ in considered.probes])
            for board, considered in zip(self._boards, self._considered, strict=True)
        ]
