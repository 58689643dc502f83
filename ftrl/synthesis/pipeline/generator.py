"""What a generator brings to the pipeline, and the one that makes environments from tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from ftrl.environments import Environment
from ftrl.errors import InputError
from ftrl.llm import Totals
from ftrl.synthesis.candidate import Candidate
from ftrl.synthesis.config import SynthesisConfig
from ftrl.synthesis.pipeline.stage import Item, StageSpec
from ftrl.synthesis.tables.facts import NothingToAsk
from ftrl.synthesis.tables.generator import build, opened_facts
from ftrl.synthesis.verify import Rejection

BATCH = 32
"""Candidates of the tables generator that go from stage to stage together: one trip to the sandbox for all."""

ATTEMPTS = 3
"""How often an item of the tables generator is drawn before it is given up."""

_VERIFIERS_PER_BUILDER = 2
"""Verifying takes so much longer than building."""


@dataclass(frozen=True)
class Generator:
    """Where candidates come from.

    Attributes:
        stages: the last one makes ``Candidate``s.
        items: the items from an index on, in order, each index once.
        check: refuses to go on behind the last environment of a store that other options have made.
        attempts: how often a rejected item is begun anew, the first time included.
        ray: whether the stages need Ray, however small the run.
        ledger: what was asked of models for the whole store, by stage.
    """

    stages: tuple[StageSpec, ...]
    items: Callable[[int], Iterator[Item]]
    check: Callable[[Environment], None]
    attempts: int = 1
    ray: bool = False
    ledger: Callable[[], dict[str, Totals]] = dict


def generator_of(config: SynthesisConfig) -> Generator:
    """The generator that a run asks for.

    Raises:
        InputError: it is not available.
    """
    if config.generator == "llm":
        from ftrl.synthesis.language_model.generator import language_model_generator

        return language_model_generator(config)
    build_stage = StageSpec(
        "build", partial(TablesStage, config), actors=max(1, config.workers // _VERIFIERS_PER_BUILDER), batch=BATCH
    )
    return Generator(
        stages=(build_stage,),
        items=lambda first: (Item(index) for index in range(first, config.count)),
        check=partial(_check_tables, config),
        attempts=ATTEMPTS,
    )


class TablesStage:
    """All five stages of the tables generator in one: a candidate is made faster than it is passed on."""

    def __init__(self, config: SynthesisConfig) -> None:
        self._config = config
        self._open = ExitStack()
        self._facts = self._open.enter_context(opened_facts(config))

    async def __call__(self, items: Sequence[Item]) -> list[Candidate | Rejection]:
        """A candidate an item."""
        return [self._draw(item) for item in items]

    def close(self) -> None:
        """Close the tables."""
        self._open.close()

    def _draw(self, item: Item) -> Candidate | Rejection:
        try:
            return build(self._config, self._facts, item.index, item.attempt)
        except NothingToAsk as nothing:
            return Rejection("nothing_to_ask", str(nothing))


def _check_tables(config: SynthesisConfig, last: Environment) -> None:
    index, attempt = last.provenance.get("index"), last.provenance.get("attempt", 0)
    if last.provenance.get("generator") != "tables" or not isinstance(index, int):
        raise InputError("the store to resume was not made by the tables generator", file=config.out)
    with opened_facts(config) as facts:
        made = build(config, facts, index, attempt)
    if made.environment.id != last.id:
        raise InputError(
            f"the last environment (item {index}) is not what these options make; resume with the same seed, "
            "split, scenarios, style and distractors, in the same version of ftrl",
            file=config.out,
        )
