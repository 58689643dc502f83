"""Stage 1, scenario decomposition: a question with its sub-questions, their answers and what depends on what.

The tables generator goes the other way round than a language model: it draws a path through the facts and
puts the question around it, so that the decomposition is right by construction (paper, section 3.1). What
``sound`` would not pass is drawn anew at once; the rest is checked by ``verify`` all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ftrl.environments.schema import Scenario
from ftrl.synthesis.tables import wording
from ftrl.synthesis.tables.facts import Date, Fact, Facts, NothingToAsk
from ftrl.synthesis.tables.paths import DRAWS, Paths
from ftrl.synthesis.tables.queries import days_between
from ftrl.synthesis.tables.questions import ask_all, ask_comparison
from ftrl.synthesis.tables.sound import is_sound
from ftrl.synthesis.tables.style import Style


@dataclass(frozen=True)
class Step:
    """One sub-question: the fact that it asks for, and the sub-questions that have to be answered before."""

    id: str
    text: str
    fact: Fact
    depends_on: tuple[str, ...] = ()

    @property
    def answer(self) -> str:
        """The short answer."""
        return self.fact.value


@dataclass(frozen=True)
class Decomposition:
    """A question taken apart.

    Attributes:
        question: the whole user message.
        answer: follows from the answers of the last steps: all of them, how many they are, the one that wins a
            comparison, or their difference.
        steps: chain after chain, each in the order of its hops.
    """

    scenario: Scenario
    question: str
    answer: str
    steps: tuple[Step, ...]


def decompose(facts: Facts, scenario: Scenario, style: Style, rng: Random) -> Decomposition:
    """Draw a question of this scenario from the facts.

    Raises:
        NothingToAsk: none was found that could be answered and paid for without doubt.
    """
    for _ in range(DRAWS):
        drawn = _draw(facts, scenario, style, rng)
        if drawn is not None and is_sound(drawn.question, [step.fact for step in drawn.steps]):
            return drawn
    raise NothingToAsk(f"no {scenario.value} question with clear answers was found in {DRAWS} draws")


def _draw(facts: Facts, scenario: Scenario, style: Style, rng: Random) -> Decomposition | None:
    parallel = scenario in (Scenario.PARALLEL_SINGLE_HOP, Scenario.PARALLEL_MULTI_HOP)
    deep = scenario in (Scenario.MULTI_HOP, Scenario.PARALLEL_MULTI_HOP)
    hops = rng.randint(*style.hops) if deep else 1
    comparing = parallel and rng.random() < style.comparisons
    paths = Paths(facts, style.queries)
    path = paths.draw(hops, rng, comparing)
    first = path and paths.walk(path, rng, turning=not comparing)
    if not path or not first:
        return None
    joined: Fact | None = None
    if not parallel:
        chains = [first]
        question, answer = ask_all(chains, style, rng)
    elif comparing:
        second = paths.walk(path, rng)
        if not second or second[-1].rank == first[-1].rank:
            return None
        chains = [first, second]
        if deep and isinstance(path[-1].object, Date) and style.queries and rng.random() < style.queries:
            joined = days_between(first[-1].value, second[-1].value)
        question, answer = ask_comparison(chains, joined, style, rng)
    else:
        chains = paths.branches(path, first, rng.randint(*style.branches), rng)
        if not chains:
            return None
        question, answer = ask_all(chains, style, rng)
    return Decomposition(scenario, question, answer, _steps(chains, joined))


def _steps(chains: list[list[Fact]], joined: Fact | None) -> tuple[Step, ...]:
    steps: list[Step] = []
    ends: list[str] = []
    for chain in chains:
        for hop, fact in enumerate(chain):
            subject = fact.subject.name if hop == 0 else f"that {fact.subject.kind.noun}"
            before = (steps[-1].id,) if hop else ()
            steps.append(Step(f"q{len(steps) + 1}", wording.step_text(fact, subject), fact, before))
        ends.append(steps[-1].id)
    if joined is not None:
        steps.append(Step(f"q{len(steps) + 1}", "How many days lie between those two dates?", joined, tuple(ends)))
    return tuple(steps)
