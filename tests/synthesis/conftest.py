"""What the tests of synthesis share: one sandbox, and candidates to take apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ftrl.environments import Scenario
from ftrl.sandbox import Sandbox
from ftrl.synthesis import SynthesisConfig
from ftrl.synthesis.candidate import Candidate
from ftrl.synthesis.tables.generator import build, style_of
from ftrl.synthesis.tables.world import World


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=2) as sandbox:
        yield sandbox


@pytest.fixture
def candidate() -> Callable[..., Candidate]:
    """Makes the candidate of an item; options as those of ``SynthesisConfig``."""

    def make(scenario: Scenario = Scenario.MULTI_HOP, index: int = 0, **options: Any) -> Candidate:
        config = SynthesisConfig(out="unused", scenarios=(scenario,), **options)
        return build(config, World(config.seed, config.split, style_of(config).wide), index, 0)

    return make
