"""Playing and scoring one customer's episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ftrl.errors import InputError
from ftrl.evaluation.suite import DataSource, Sample, Score, Transcript, message, seed_of
from ftrl.evaluation.tau_bench.data import TABLES, Action, Domain, TauTask, load_tasks
from ftrl.evaluation.tau_bench.modes import OFFICIAL, Mode
from ftrl.evaluation.tau_bench.session import Session
from ftrl.evaluation.tau_bench.user import STOP, Customer, User
from ftrl.rewards import profile_named
from ftrl.rollouts import ContextFull, EpisodeSettings, Policy, TrajectoryCall
from ftrl.rollouts.episode import ToolRunner
from ftrl.sandbox import CallStatus

FINISHED = ("user_stopped", "transferred")
"""Endings that either published script scores; an episode that ends otherwise earns 0 in both."""

LEFT_OUT = "Not made: one call at a time."
"""What a provider's model is told of the second and further calls of a turn."""

_REPEATED = (CallStatus.OK, CallStatus.TOOL_ERROR)
"""Calls that may have changed the database; others were stopped, and changed nothing."""


class TauBench:
    """The suite.

    ``ending`` of its transcripts: ``user_stopped``, ``transferred``, ``max_turns`` or ``context_full``. Only the first
    two can earn anything, but the database and the outputs are looked at whatever the ending.

    Args:
        user: who plays the customers.
        mode: which published script's rules.
        domains: which of the domains.
        played_by: name of who plays the customers; runs compare only where it is the same.
    """

    name = "tau-bench"
    version = "1"
    metrics = ("reward", "database", "outputs")
    settings = EpisodeSettings(max_turns=30, temperature=0.0)
    source = DataSource(
        title="tau-bench: tools, an agent and a user in two domains",
        origin="bytedance/FTRL on GitHub, Data/jsonl/raw, in this layout; first sierra-research/tau-bench",
        licence="MIT (tasks, databases, tools), Apache-2.0 (layout)",
        files="tau-bench.jsonl and beside it the folder tau-bench with airline and retail",
        how="`ftrl eval fetch tau-bench` gets it",
    )

    def __init__(
        self,
        user: User,
        mode: Mode = OFFICIAL,
        domains: Sequence[str] = tuple(TABLES),
        *,
        played_by: str | None = None,
    ) -> None:
        for domain in domains:
            if domain not in TABLES:
                raise InputError(f"tau-bench has no domain '{domain}'; there are {', '.join(TABLES)}")
        self.user, self.mode, self.domains = user, mode, tuple(domains)
        self.variant: Mapping[str, str] = {"mode": mode.name, **({"user": played_by} if played_by else {})}
        self._digests: dict[tuple[str, tuple[Action, ...]], str] = {}

    def load(self, path: str) -> list[Sample[TauTask]]:
        """The tasks of the domains.

        Raises:
            InputError: a file is missing, or a row not as published.
        """
        return load_tasks(path, self.domains)

    async def play(
        self, sample: Sample[TauTask], policy: Policy, sandbox: ToolRunner, settings: EpisodeSettings, trial: int = 0
    ) -> Transcript:
        """One conversation between policy and user. A turn makes one call at most; others in it are left out.

        A provider has its model's turn as it was made, and wants an answer to each of its calls: those that are left
        out are told so there.
        """
        domain = sample.task.domain
        session = Session(domain, sandbox)
        customer = Customer(self.user, sample.task.instruction, blank_line=self.mode.blank_line)
        parser = profile_named(settings.profile).parser
        conversation = policy.converse(domain.tools, settings, seed_of(sample, settings, trial))
        messages = [message("system", domain.policy), message("user", await customer.hear())]
        calls: list[TrajectoryCall] = []

        def ended(ending: str) -> Transcript:
            return Transcript(messages=tuple(messages), calls=tuple(calls), ending=ending)

        for turn in range(settings.max_turns):
            try:
                generation = await conversation.generate(messages)
            except ContextFull:
                return ended("context_full")
            response = generation.response or parser(generation.text)
            kept = response if generation.response else replace(response, calls=response.calls[:1])
            ids = [f"call_{turn}_{i}" if i else f"call_{turn}" for i in range(len(kept.calls))]
            messages.append(kept.message(ids))
            if not kept.calls:
                if generation.context_ended:
                    return ended("context_full")
                messages.append(message("user", await customer.hear(response.content or "")))
                if STOP in messages[-1]["content"]:
                    return ended("user_stopped")
                continue
            asked = kept.calls[0]
            call = await self._call(session, sample.task, Action(asked.name, asked.arguments), turn, settings)
            calls.append(call)
            for id_, shown in zip(ids, [call.output, *[LEFT_OUT] * (len(ids) - 1)], strict=True):
                messages.append({"role": "tool", "content": shown, "tool_call_id": id_})
            if asked.name == self.mode.ends:
                return ended("transferred")
        return ended("max_turns")

    async def score(self, sample: Sample[TauTask], transcript: Transcript, sandbox: ToolRunner) -> Score:
        """1 for an episode that came to its end with the right database and everything told, else 0."""
        domain = sample.task.domain
        made = [Action(call.name, call.arguments) for call in transcript.calls if call.call_status in _REPEATED]
        truth = [action for action in sample.task.actions if action.name != self.mode.ends]
        right = await self._digest(domain, truth, sandbox)
        database = await self._digest(domain, made, sandbox) == right
        told = [text.lower().replace(",", "") for text in self.mode.told(transcript)]
        missing = [output for output in sample.task.outputs if not any(output.lower() in text for text in told)]
        finished = transcript.ending in FINISHED
        reasons = [
            "" if finished else f"the episode ended with {transcript.ending}",
            "" if database else "the database is not as it should be",
            f"not told: {', '.join(missing)}" if missing else "",
        ]
        return Score(
            metrics={
                "reward": float(finished and database and not missing),
                "database": float(database),
                "outputs": float(not missing),
            },
            explanation="; ".join(filter(None, reasons)) or "the database is right, and all was told",
        )

    async def _digest(self, domain: Domain, actions: Sequence[Action], sandbox: ToolRunner) -> str:
        """Of the domain's database after these actions; the same actions always lead to the same."""
        key = (domain.name, tuple(actions))
        if key not in self._digests:
            self._digests[key] = await Session(domain, sandbox).digest(actions)
        return self._digests[key]

    async def _call(
        self, session: Session, task: TauTask, action: Action, turn: int, settings: EpisodeSettings
    ) -> TrajectoryCall:
        if action.name not in task.domain.sources:
            output, status, seconds = self.mode.unknown(action.name), CallStatus.TOOL_ERROR, 0.0
        else:
            answered = await session.call(action)
            output, status, seconds = answered.output, answered.status, answered.seconds
            if status is CallStatus.TOOL_ERROR:
                output = self.mode.error(action.name, output)
        return TrajectoryCall(
            turn=turn,
            name=action.name,
            arguments=action.arguments,
            output=output[: settings.max_output_chars],
            call_status=status,
            seconds=seconds,
        )
