"""Stage 1, scenario decomposition: a question with its sub-questions, their answers and what depends on what.

The tables generator goes the other way round than a language model: it draws a path through the world and
puts the question around it, so that the decomposition is right by construction (paper, section 3.1). Its
product is checked by ``verify`` all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from ftrl.environments.schema import Scenario
from ftrl.synthesis import wording
from ftrl.synthesis.relations import RELATIONS, RELATIONS_OF, Kind, Quantity, Relation
from ftrl.synthesis.style import Style
from ftrl.synthesis.world import POPULATION, Entity, Fact, World


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
        answer: follows from the answers of the last steps: all of them, or the subject that wins a
        comparison.
        steps: chain after chain, each in the order of its hops.
    """

    scenario: Scenario
    question: str
    answer: str
    steps: tuple[Step, ...]


def decompose(world: World, scenario: Scenario, style: Style, rng: Random) -> Decomposition:
    """Draw a question of this scenario from the world."""
    parallel = scenario in (Scenario.PARALLEL_SINGLE_HOP, Scenario.PARALLEL_MULTI_HOP)
    deep = scenario in (Scenario.MULTI_HOP, Scenario.PARALLEL_MULTI_HOP)
    hops = rng.randint(*style.hops) if deep else 1
    if not parallel:
        chains = [_walk(world, _path(hops, rng), rng)]
        question, answer = _ask_all(chains, rng)
    elif rng.random() < style.comparisons:
        path = _path(hops, rng, to_quantity=True)
        chains = [_walk(world, path, rng) for _ in range(2)]
        question, answer = _ask_comparison(chains, rng)
    else:
        chains = _branches(world, hops, rng.randint(*style.branches), rng)
        question, answer = _ask_all(chains, rng)
    return Decomposition(scenario, f"{wording.INSTRUCTION}\n{question}", answer, _steps(chains))


def _path(
    hops: int, rng: Random, *, firsts: Sequence[Relation] = RELATIONS, to_quantity: bool = False
) -> list[Relation]:
    """Relations that can be followed one after the other, none of them twice, the first from ``firsts``."""
    while True:
        path: list[Relation] = []
        choice = firsts
        for left in reversed(range(hops)):
            fitting = [r for r in choice if r not in path and _fits(r, left, to_quantity)]
            if not fitting:
                break
            path.append(rng.choice(fitting))
            leads_to = path[-1].object
            choice = RELATIONS_OF[leads_to] if isinstance(leads_to, Kind) else ()
        if len(path) == hops:
            return path


def _fits(relation: Relation, hops_left: int, to_quantity: bool) -> bool:
    if hops_left:
        return isinstance(relation.object, Kind)
    return not to_quantity or isinstance(relation.object, Quantity)


def _walk(world: World, path: list[Relation], rng: Random, start: Entity | None = None) -> list[Fact]:
    subject = start or world.entity(path[0].subject, rng.randrange(POPULATION))
    facts = []
    for relation in path:
        fact = world.fact(relation, subject)
        facts.append(fact)
        subject = fact.target or subject
    return facts


def _branches(world: World, hops: int, count: int, rng: Random) -> list[list[Fact]]:
    """Chains that do not need each other: one question about several entities, several about one, or any."""
    path = _path(hops, rng)
    chains = [_walk(world, path, rng)]
    same = rng.choice(("question", "entity", "nothing"))
    while len(chains) < count:
        if same == "question":
            chains.append(_walk(world, path, rng))
            continue
        used = [chain[0].relation for chain in chains]
        start = chains[0][0].subject
        firsts = [r for r in RELATIONS_OF[start.kind] if r not in used and _fits(r, hops - 1, False)]
        if same == "entity" and firsts:
            chains.append(_walk(world, _path(hops, rng, firsts=firsts), rng, start))
        else:
            chains.append(_walk(world, _path(hops, rng), rng))
    return chains


def _nested(subject: Entity, facts: list[Fact], rng: Random) -> str:
    """The subject within the phrases of the facts that lead on from it."""
    text = wording.mention(subject, rng)
    for fact in facts:
        text = wording.phrase(fact.relation, text, rng)
    return text


def _ask_all(chains: list[list[Fact]], rng: Random) -> tuple[str, str]:
    phrases = [_nested(chain[0].subject, chain, rng) for chain in chains]
    answer = ", ".join(chain[-1].value for chain in chains)
    if len(chains) == 1:
        return wording.ask(chains[0][-1].relation, phrases[0], rng), answer
    return wording.ask_several(phrases, rng), answer


def _ask_comparison(chains: list[list[Fact]], rng: Random) -> tuple[str, str]:
    more = rng.random() < 0.5
    subjects = [_nested(chain[0].subject, chain[:-1], rng) for chain in chains]
    question = wording.ask_comparison(chains[0][-1].relation, subjects, more, rng)
    ends = sorted((chain[-1] for chain in chains), key=lambda fact: int(fact.value))
    return question, ends[-1 if more else 0].subject.name


def _steps(chains: list[list[Fact]]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for chain in chains:
        for hop, fact in enumerate(chain):
            subject = fact.subject.name if hop == 0 else f"that {fact.subject.kind.noun}"
            before = (steps[-1].id,) if hop else ()
            text = wording.step_text(fact.relation, subject)
            steps.append(Step(f"q{len(steps) + 1}", text, fact, before))
    return tuple(steps)
