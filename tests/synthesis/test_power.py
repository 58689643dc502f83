"""What verification is worth: it catches a hundred known defects, by a rule that fits, and rejects nothing sound."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from ftrl.environments import Scenario
from ftrl.environments.golden import golden_turns
from ftrl.rollouts import EpisodeKey, EpisodeSettings, ScriptedPolicy, run_episode
from ftrl.sandbox import Sandbox
from ftrl.synthesis import SynthesisConfig
from ftrl.synthesis.candidate import Candidate
from ftrl.synthesis.tables.facts import NothingToAsk
from ftrl.synthesis.tables.generator import build, opened_facts
from ftrl.synthesis.verify import Rejection, Verified, verify
from tests.synthesis.defects import FAMILIES, seeded

SEEDED = 10
"""Environments with each defect."""


def sound_ones(style: str, seed: int, scenarios: tuple[Scenario, ...] = tuple(Scenario)) -> Iterator[Candidate]:
    config = SynthesisConfig(out="unused", style=style, seed=seed, scenarios=scenarios)
    with opened_facts(config) as facts:
        for index in itertools.count():
            try:
                yield build(config, facts, index, 0)
            except NothingToAsk:
                continue


@pytest.mark.parametrize("style", ["compact", "rich"])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_environment_with_a_known_defect_is_rejected_by_a_rule_that_fits(sandbox, name, style):
    family = FAMILIES[name]
    sources = {scenario: sound_ones(style, 5, (scenario,)) for scenario in Scenario}
    made = list(seeded(family, lambda scenario, at: next(sources[scenario]), SEEDED))
    verdicts = verify([candidate for _, candidate in made], sandbox)
    wrong = [
        f"{way}: {verdict}"
        for (way, _), verdict in zip(made, verdicts, strict=True)
        if not isinstance(verdict, Rejection) or verdict.rule not in family.rules
    ]
    assert len(verdicts) == SEEDED
    assert not wrong, "\n".join(wrong)


def ambiguous(made: Candidate) -> bool:
    """Whether a call that means something else happens to bring a gold. The generator can't always know; a few do."""
    golds = [gold.value for gold in made.environment.golds]
    for name, deployment in made.deployments.items():
        tool: dict[str, Any] = {}
        exec(deployment.source, tool)
        for arguments in deployment.near:
            with contextlib.suppress(LookupError, ValueError, TypeError):
                told = json.dumps(tool[name](**arguments), ensure_ascii=False)
                if any(gold in told for gold in golds):
                    return True
    return False


@pytest.mark.parametrize("number", [60, pytest.param(500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("style", ["compact", "rich"])
def test_nothing_sound_is_rejected(sandbox, style, number):
    sound = itertools.islice((made for made in sound_ones(style, 23) if not ambiguous(made)), number)
    rejected = []
    while few := list(itertools.islice(sound, 50)):
        rejected += [verdict for verdict in verify(few, sandbox) if not isinstance(verdict, Verified)]
    assert not rejected


def played(candidate: Candidate, turns: list[str], sandbox: Sandbox) -> float:
    """What an episode of these turns earns under the strict profile."""
    trajectory = asyncio.run(
        run_episode(
            candidate.environment,
            candidate.sources,
            ScriptedPolicy(turns),
            sandbox,
            EpisodeSettings(max_turns=len(turns) + 1),
            EpisodeKey("golden"),
        )
    )
    return trajectory.metrics_of("strict-1").f1


@pytest.mark.parametrize("number", [8, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("style", ["compact", "rich"])
def test_a_golden_episode_earns_everything_and_with_any_one_call_left_out_less(sandbox, style, number):
    for candidate in itertools.islice(sound_ones(style, 7), number):
        environment = candidate.environment
        assert played(candidate, golden_turns(environment), sandbox) == 1.0
        for left_out in environment.trace:
            trace = tuple(
                step.model_copy(update={"depends_on": tuple(d for d in step.depends_on if d != left_out.id)})
                for step in environment.trace
                if step is not left_out
            )
            turns = golden_turns(environment.model_copy(update={"trace": trace})) if trace else ["I do not know."]
            assert played(candidate, turns, sandbox) < 1.0, (environment.question, left_out.id)
