"""Stage 1, scenario decomposition: a question with its sub-questions, their answers and what depends on what.

The tables generator goes the other way round than a language model: it draws a path through the facts and
puts the question around it, so that the decomposition is right by construction (paper, section 3.1). What
``sound`` would not pass is drawn anew at once; the rest is checked by ``verify`` all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from ftrl.environments.schema import Scenario
from ftrl.synthesis.tables import wording
from ftrl.synthesis.tables.facts import Date, Entity, Fact, Facts, Kind, NothingToAsk, Quantity, Relation
from ftrl.synthesis.tables.sound import can_be_guessed, is_sound
from ftrl.synthesis.tables.style import Style

_DRAWS = 200
"""How often a question is drawn before there is said to be none."""


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
        answer: follows from the answers of the last steps: all of them, the one that wins a comparison,
            or their difference.
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
    for _ in range(_DRAWS):
        drawn = _draw(facts, scenario, style, rng)
        if drawn is not None and is_sound(drawn.question, [step.fact for step in drawn.steps]):
            return drawn
    raise NothingToAsk(f"no {scenario.value} question with clear answers was found in {_DRAWS} draws")


def _draw(facts: Facts, scenario: Scenario, style: Style, rng: Random) -> Decomposition | None:
    parallel = scenario in (Scenario.PARALLEL_SINGLE_HOP, Scenario.PARALLEL_MULTI_HOP)
    deep = scenario in (Scenario.MULTI_HOP, Scenario.PARALLEL_MULTI_HOP)
    hops = rng.randint(*style.hops) if deep else 1
    comparing = parallel and rng.random() < style.comparisons
    path = _path(facts, hops, rng, facts.relations, comparing)
    first = path and _walk(facts, path, rng)
    if not path or not first:
        return None
    if not parallel:
        chains = [first]
        question, answer = _ask_all(chains, rng)
    elif comparing:
        second = _walk(facts, path, rng)
        if not second or second[-1].rank == first[-1].rank:
            return None
        chains = [first, second]
        question, answer = _ask_comparison(chains, rng)
    else:
        chains = _branches(facts, path, first, rng.randint(*style.branches), rng)
        if not chains:
            return None
        question, answer = _ask_all(chains, rng)
    return Decomposition(scenario, f"{wording.INSTRUCTION}\n{question}", answer, _steps(chains))


def _path(facts: Facts, hops: int, rng: Random, firsts: Sequence[Relation], comparable: bool = False) -> list[Relation]:
    """Relations that can be followed one after the other, none of them twice; empty where none was met."""
    for _ in range(_DRAWS):
        path: list[Relation] = []
        choice = firsts
        for left in reversed(range(hops)):
            fitting = [r for r in choice if r not in path and _fits(r, left, comparable)]
            if not fitting:
                break
            path.append(rng.choice(fitting))
            leads_to = path[-1].object
            choice = facts.relations_of(leads_to) if isinstance(leads_to, Kind) else ()
        if len(path) == hops:
            return path
    return []


def _fits(relation: Relation, hops_left: int, comparable: bool) -> bool:
    if hops_left:
        return isinstance(relation.object, Kind)
    return not comparable or isinstance(relation.object, (Quantity, Date))


def _walk(facts: Facts, path: list[Relation], rng: Random, start: Entity | None = None) -> list[Fact]:
    """The facts along a path from an entity; empty where something is not known."""
    subject = start or facts.draw(path[0].subject, rng)
    walked = []
    for relation in path:
        fact = facts.fact(relation, subject)
        if fact is None:
            return []
        walked.append(fact)
        subject = fact.target or subject
    return walked


def _branches(facts: Facts, path: list[Relation], first: list[Fact], count: int, rng: Random) -> list[list[Fact]]:
    """Chains that do not need each other: one question about several entities, several about one, or any."""
    chains = [first]
    hops = len(path)
    same = rng.choice(("question", "entity", "nothing"))
    while len(chains) < count:
        other, start = path, None
        if same != "question":
            used = [chain[0].relation for chain in chains]
            about = facts.relations_of(first[0].subject.kind)
            firsts = [r for r in about if r not in used and _fits(r, hops - 1, False)]
            if same == "entity" and firsts:
                start = first[0].subject
                other = _path(facts, hops, rng, firsts)
            else:
                other = _path(facts, hops, rng, facts.relations)
        chain = other and _walk(facts, other, rng, start)
        if not chain:
            return []
        chains.append(chain)
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
    """Ask for a figure, never for one of two names: the question would hold the answer."""
    more = rng.random() < 0.5
    subjects = [_nested(chain[0].subject, chain[:-1], rng) for chain in chains]
    relation = chains[0][-1].relation
    low, high = sorted((chain[-1] for chain in chains), key=lambda fact: fact.rank or 0)
    if isinstance(relation.object, Quantity) and low.rank is not None and high.rank is not None and rng.random() < 0.4:
        difference = f"{high.rank - low.rank:f}"
        if not can_be_guessed(difference):
            return wording.ask_difference(relation, subjects, rng), difference
    return wording.ask_extreme(relation, subjects, more, rng), (high if more else low).value


def _steps(chains: list[list[Fact]]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for chain in chains:
        for hop, fact in enumerate(chain):
            subject = fact.subject.name if hop == 0 else f"that {fact.subject.kind.noun}"
            before = (steps[-1].id,) if hop else ()
            text = wording.step_text(fact.relation, subject)
            steps.append(Step(f"q{len(steps) + 1}", text, fact, before))
    return tuple(steps)
