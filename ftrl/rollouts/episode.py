"""The one episode loop: the policy speaks, its calls run in the sandbox, what they return is told to it, and again.

The same loop plays for training, for evaluation and for replays; only the policy differs (paper, section 3.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ftrl.environments import Environment
from ftrl.errors import FtrlError
from ftrl.rewards import Context, Scoreboard, Turn, Unscorable, profile_named, profiles_from
from ftrl.rollouts.policy import ContextFull, EngineFault, Generation, Policy
from ftrl.rollouts.settings import EpisodeSettings
from ftrl.rollouts.trajectory import (
    AssistantTokens,
    Metrics,
    Trajectory,
    TrajectoryCall,
    TrajectoryStatus,
    Usage,
    episode_seed,
    trajectory_id,
)
from ftrl.sandbox import Call, CallResult
from ftrl.tool_calls import ParsedCall, ParsedResponse, mended


class ToolRunner(Protocol):
    """Runs calls; the sandbox does."""

    async def run_async(self, calls: Sequence[Call]) -> list[CallResult]:
        """One result a call, in order."""
        ...


@dataclass(frozen=True)
class EpisodeKey:
    """Which episode this is: everything that its id is made of, but for the environment."""

    run: str
    iteration: int = 0
    sample: int = 0


async def run_episode(
    environment: Environment,
    sources: Mapping[str, str],
    policy: Policy,
    sandbox: ToolRunner,
    settings: EpisodeSettings,
    key: EpisodeKey,
) -> Trajectory:
    """Play one episode to its end.

    It ends at the first turn without calls (``answered``), after ``settings.max_turns`` turns (``max_turns``), when
    the conversation no longer fits the model (``context_full``), or where the settings save tokens (``out_of_tokens``,
    ``stopped``). If a call or a turn fails through a fault of ours, the trajectory is ``infrastructure`` and has no
    metrics.

    Args:
        environment: the task.
        sources: tool name → source, of the environment's tools.
        policy: who speaks.
        sandbox: where the calls run.
        settings: limits, and the scoring profile whose parser reads the turns; scored is under all profiles.
        key: names the episode.

    Raises:
        EngineLost: the policy's engine died; the episode must be played again.
    """
    episode = _Episode(environment, sources, settings)
    seed = settings.seed
    if seed is not None:
        seed = episode_seed(seed, environment.id, key.sample, key.iteration)
    try:
        status, error = await episode.play(policy, sandbox, seed), None
    except (Unscorable, EngineFault) as fault:
        status, error = TrajectoryStatus.INFRASTRUCTURE, str(fault)
    return Trajectory(
        id=trajectory_id(key.run, environment.id, key.sample, key.iteration),
        run=key.run,
        environment_id=environment.id,
        policy=policy.identity,
        iteration=key.iteration,
        sample=key.sample,
        seed=seed,
        parser=settings.parser,
        status=status,
        messages=tuple(episode.messages),
        calls=tuple(episode.calls),
        turns=tuple(episode.turns),
        metrics=() if error is not None else episode.metrics(),
        usage=episode.usage,
        error=error,
    )


class _Episode:
    """One conversation as it grows."""

    def __init__(self, environment: Environment, sources: Mapping[str, str], settings: EpisodeSettings) -> None:
        self._environment = environment
        self._sources = sources
        self._settings = settings
        golds = [(gold.tool, gold.value) for gold in environment.golds]
        context = Context.of(environment, shown=settings.max_output_chars)
        profiles = profiles_from(profile_named(settings.profile))
        self._boards = [Scoreboard(golds, profile, context) for profile in profiles]
        self.messages: list[dict[str, Any]] = environment.messages()
        self.calls: list[TrajectoryCall] = []
        self.turns: list[AssistantTokens] = []
        self.usage: Usage | None = Usage()
        self._made: set[tuple[str, str]] = set()
        self._idle_turns = 0

    async def play(self, policy: Policy, sandbox: ToolRunner, seed: int | None) -> TrajectoryStatus:
        conversation = policy.converse(self._environment.tools, self._settings, seed)
        for turn in range(self._settings.max_turns):
            most = self._most_tokens()
            if most < 1:
                return TrajectoryStatus.OUT_OF_TOKENS
            try:
                generation = await conversation.generate(self.messages, most)
            except ContextFull:
                return TrajectoryStatus.CONTEXT_FULL
            self._count(generation)
            responses = self._read(generation)
            response = responses[0]
            self.messages.append(response.message([f"call_{turn}_{i}" for i in range(len(response.calls))]))
            await self._call(turn, responses, sandbox)
            if not response.calls:
                return self._last_words(generation)
            if self._goes_round_in_circles(response):
                return TrajectoryStatus.STOPPED
        return TrajectoryStatus.MAX_TURNS

    def _most_tokens(self) -> int:
        """How long the next turn may be: the episode's own budget may be nearer than the limit of a turn."""
        limit, budget = self._settings.max_response_tokens, self._settings.max_tokens
        if budget is None:
            return limit
        if self.usage is None:
            raise FtrlError("this provider does not say how many tokens a turn took, so no budget of tokens holds")
        return min(limit, budget - self.usage.output)

    def _count(self, generation: Generation) -> None:
        if generation.tokens is not None:
            self.turns.append(generation.tokens)
        if generation.usage is None or self.usage is None:
            self.usage = None
        else:
            self.usage = self.usage.plus(generation.usage)

    def _read(self, generation: Generation) -> list[ParsedResponse]:
        """The turn as each profile reads it; what a provider or the settings' parser reads is the same to all."""
        if generation.response is not None:
            return [_speakable(generation.response)] * len(self._boards)
        if self._settings.parser is not None:
            raise FtrlError(f"the parser '{self._settings.parser}' reads tokens, and this policy has only text")
        return [_speakable(board.profile.parser(generation.text)) for board in self._boards]

    def _last_words(self, generation: Generation) -> TrajectoryStatus:
        """What a turn without calls means."""
        if generation.context_ended:
            return TrajectoryStatus.CONTEXT_FULL
        spent = self._settings.max_tokens is not None and self._most_tokens() < 1
        return TrajectoryStatus.OUT_OF_TOKENS if spent else TrajectoryStatus.ANSWERED

    def _goes_round_in_circles(self, response: ParsedResponse) -> bool:
        """Whether this was one turn too many whose calls could bring nothing new."""
        calls = [(call.name, call.arguments) for call in response.calls]
        news = [call for call in calls if call not in self._made and call[0] in self._sources]
        self._made.update(calls)
        self._idle_turns = 0 if news else self._idle_turns + 1
        return self._settings.stop_after is not None and self._idle_turns >= self._settings.stop_after

    async def _call(self, number: int, responses: Sequence[ParsedResponse], sandbox: ToolRunner) -> None:
        """Run the calls of a turn as the episode's own profile reads them, and record them on every board."""
        turn = Turn(responses, self._boards, self._sources, played=True)
        probes = turn.probes(await _run(sandbox, turn.calls))
        for i, scored in enumerate(turn.settle(await _run(sandbox, probes))[0]):
            output = mended(scored.result.output[: self._settings.max_output_chars])
            self.messages.append({"role": "tool", "content": output, "tool_call_id": f"call_{number}_{i}"})
            self.calls.append(
                TrajectoryCall(
                    turn=number,
                    name=scored.call.name,
                    arguments=scored.call.arguments,
                    output=output,
                    call_status=scored.result.status,
                    seconds=scored.result.seconds,
                    gold=scored.gold,
                )
            )

    def metrics(self) -> tuple[Metrics, ...]:
        """Under every profile, the episode's own first."""
        return tuple(
            Metrics(profile=board.profile.version, precision=scores.precision, recall=scores.recall, f1=scores.f1)
            for board in self._boards
            for scores in (board.metrics(),)
        )


async def _run(sandbox: ToolRunner, calls: Sequence[Call]) -> list[CallResult]:
    return await sandbox.run_async(calls) if calls else []


def _speakable(response: ParsedResponse) -> ParsedResponse:
    """The turn without lone surrogates."""
    return ParsedResponse(
        None if response.content is None else mended(response.content),
        tuple(ParsedCall(mended(call.name), mended(call.arguments)) for call in response.calls),
        response.unparsed,
    )
