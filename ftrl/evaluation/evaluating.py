"""Evaluating a model on a suite: tasks, policy and sandbox brought together, figures written beside the episodes."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, nullcontext
from typing import Any

from ftrl import storage
from ftrl.errors import FtrlError, InputError
from ftrl.evaluation.bfcl import BFCL
from ftrl.evaluation.engines import EnginePolicy
from ftrl.evaluation.ftrl_test import versions
from ftrl.evaluation.general import General
from ftrl.evaluation.results import EvalResults
from ftrl.evaluation.rotbench import RoTBench
from ftrl.evaluation.running import Played, claim, read_episodes, run_suite
from ftrl.evaluation.settings import SuiteConfig
from ftrl.evaluation.speakers import customer, places, speaker
from ftrl.evaluation.spending import USER, Meter, Metered
from ftrl.evaluation.suite import Sample, Suite
from ftrl.evaluation.suite_progress import SuiteDisplay
from ftrl.evaluation.suite_results import Perplexity, SuiteResults, render_suite, summarize_suite
from ftrl.evaluation.tau_bench import MODES, TauBench, User, scripted_user
from ftrl.evaluation.toolhop import ToolHop
from ftrl.evaluation.unplayed import missing
from ftrl.ray_session import ray_session
from ftrl.rollouts import CollectConfig, EpisodeSettings, PolicyIdentity, identify
from ftrl.sandbox import Sandbox

Speakers = dict[str, tuple[CollectConfig, PolicyIdentity]]
"""Role → who speaks in it."""

_OF_THE_BUDGET = "the budget is spent"
"""What the reason says of an episode that there was no money for."""


def evaluate_suite(config: SuiteConfig, *, display: bool = True) -> SuiteResults:
    """Play the tasks that ``config.out`` lacks, score them; writes ``results.json`` and ``table.txt`` there.

    Episodes that could not be played through a fault of ours or the provider's, or were not begun since the budget is
    spent, stand in ``not_run`` and in no figure; the next run plays them. See ``incomplete``.

    Args:
        config: what to evaluate.
        display: whether to show progress on stderr.

    Raises:
        InputError: model, tasks or folder are not as they should be; nothing was started.
        FtrlError: nothing could be played.
    """
    suite = suite_of(config)
    settings = config.episode or suite.settings
    speakers = _speakers(config, settings)
    all_samples = _samples(suite, config)
    samples = drawn(all_samples, config.limit)
    if not config.resume and any(True for _ in read_episodes(config.out)):
        raise InputError("this folder holds episodes already; give another --out, or --resume", file=config.out)
    identity = speakers["model"][1]
    run = claim(config.out, suite, identity, settings)
    meter = Meter(config.budget_usd)
    with (
        _ray(speakers) as ray,
        Sandbox(config.engine.sandbox_workers) as sandbox,
        SuiteDisplay(suite.name, len(samples) * config.trials, meter, silent=not display) as shown,
    ):
        played, perplexity = asyncio.run(_play(config, settings, samples, speakers, ray, sandbox, meter, shown))
    if not played.episodes:
        (first, trial), why = next(iter(played.not_run.items()))
        raise FtrlError(f"no episode could be played (first: {first}, trial {trial}: {why})")
    results = summarize_suite(
        run,
        played,
        suite.metrics,
        tasks=config.data,
        trials=config.trials,
        versions=versions(),
        limit=config.limit,
        available=len(all_samples),
    )
    results = results.model_copy(update={"perplexity": perplexity})
    storage.write_bytes(storage.join(config.out, "results.json"), results.model_dump_json(indent=2).encode())
    storage.write_bytes(storage.join(config.out, "table.txt"), render_suite(results).encode() + b"\n")
    return results


def incomplete(results: EvalResults | SuiteResults) -> str | None:
    """What is missing, and how to go on; None where nothing is."""
    if (told := missing(results.episodes, results.not_run)) is None:
        return None
    if all(_OF_THE_BUDGET in why for why in results.not_run.values()):
        return f"the budget is spent, and {told}; run the command again with a larger one to go on"
    return f"{told}; why is listed with the figures of the others. Run the command again to go on"


def suite_of(config: SuiteConfig, user: User | None = None) -> Suite[Any]:
    """The suite as it was chosen; without a ``user``, tau-bench can be loaded but not played.

    Raises:
        InputError: what was chosen is not there, or something is missing.
    """
    if config.suite == "rotbench":
        return RoTBench()
    if config.suite == "bfcl":
        return BFCL(config.categories)
    if config.suite == "general":
        return General()
    if config.suite == "toolhop":
        return ToolHop(config.scenario)
    if config.user is None:
        raise InputError("tau-bench needs somebody who plays its customers; give --user-model", field="user")
    return TauBench(user or scripted_user([]), MODES[config.mode], config.domains, played_by=config.user.model)


def _samples(suite: Suite[Any], config: SuiteConfig) -> list[Sample[Any]]:
    samples = suite.load(config.data)
    if not samples:
        raise InputError("there are no tasks here", file=config.data)
    for id_, count in Counter(sample.id for sample in samples).items():
        if count > 1:
            raise InputError(f"{count} tasks have the id '{id_}'", file=config.data, field="id")
    return samples


def drawn(samples: Sequence[Sample[Any]], limit: int | None) -> list[Sample[Any]]:
    """So many of the samples, drawn by their ids: files hold one kind after the other, and the first are all alike.

    The draw is the same in every run, and a larger limit takes the same and more: a folder of a few goes on to many.
    """
    order = sorted(samples, key=lambda sample: hashlib.sha256(sample.id.encode()).digest())[:limit]
    ids = {sample.id for sample in order}
    return [sample for sample in samples if sample.id in ids]


def _speakers(config: SuiteConfig, settings: EpisodeSettings) -> Speakers:
    """Who speaks, each looked at before anything is started."""
    wanted = {"model": config.speaking(settings)}
    if config.suite == "tau-bench" and config.user is not None:
        wanted["user"] = config.customers(config.user)
    found = {role: (how, identify(how)) for role, how in wanted.items()}
    if config.budget_usd is not None and all(identity.weights is not None for _, identity in found.values()):
        raise InputError("a model of your own costs nobody dollars; leave --budget-usd out")
    return found


@contextmanager
def _ray(speakers: Speakers) -> Iterator[Any]:
    """Ray, where an engine is needed."""
    needed = any(identity.weights is not None for _, identity in speakers.values())
    with ray_session() if needed else nullcontext() as ray:
        yield ray


async def _play(
    config: SuiteConfig,
    settings: EpisodeSettings,
    samples: Sequence[Sample[Any]],
    speakers: Speakers,
    ray: Any,
    sandbox: Sandbox,
    meter: Meter,
    shown: SuiteDisplay,
) -> tuple[Played, Perplexity | None]:
    async with AsyncExitStack() as stack:
        how, identity = speakers["model"]
        policy = await stack.enter_async_context(speaker(ray, how, identity))
        user: User | None = None
        if "user" in speakers:
            their_how, their_identity = speakers["user"]
            # Engines that serve the same weights serve both.
            shared = identity.weights is not None and their_identity == identity
            theirs = policy if shared else await stack.enter_async_context(speaker(ray, their_how, their_identity))
            user = customer(Metered(theirs, USER, meter), their_how.episode)
        suite = suite_of(config, user)
        played = await run_suite(
            suite,
            samples,
            policy,
            sandbox,
            settings,
            config.out,
            trials=config.trials,
            in_flight=places(how, identity),
            meter=meter,
            tell=shown.tell,
        )
        perplexity = None
        if isinstance(suite, General) and isinstance(policy, EnginePolicy) and played.stopped is None:
            logarithm, tokens = await policy.likelihood(suite.texts())
            perplexity = Perplexity(value=math.exp(-logarithm / tokens), tokens=tokens)
        return played, perplexity
