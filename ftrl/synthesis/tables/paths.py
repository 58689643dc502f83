"""Paths through the facts: which relations follow on each other, and what they say of somebody."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from ftrl.synthesis.tables.facts import Date, Entity, Fact, Facts, Kind, Quantity, Relation
from ftrl.synthesis.tables.queries import ask, turned

DRAWS = 200
"""How often something is drawn before there is said to be none."""


class Paths:
    """Draws paths.

    Args:
        facts: what is true.
        queries: share of paths that take more than looking up, where there are such.
    """

    def __init__(self, facts: Facts, queries: float) -> None:
        self._facts = facts
        self._queries = queries

    def draw(self, hops: int, rng: Random, comparable: bool = False) -> list[Relation]:
        """Relations that can be followed one after the other, none of them twice; empty where none was met."""
        return self._path(hops, rng, None, comparable)

    def walk(self, path: list[Relation], rng: Random, start: Entity | None = None, turning: bool = False) -> list[Fact]:
        """The facts along a path from an entity; empty where something is not known."""
        subject = start or self._facts.draw(path[0].subject, rng)
        walked: list[Fact] = []
        for relation in path:
            fact = ask(self._facts, relation, subject, rng)
            if fact is None:
                return []
            walked.append(fact)
            subject = fact.target or subject
        if turning and self._queries and rng.random() < self._queries:
            walked[-1] = turned(walked[-1], rng)
        return walked

    def branches(self, path: list[Relation], first: list[Fact], count: int, rng: Random) -> list[list[Fact]]:
        """Chains that do not need each other: one question about several entities, several about one, or any."""
        chains = [first]
        hops = len(path)
        same = rng.choice(("question", "entity", "nothing"))
        while len(chains) < count:
            other, start = path, None
            if same != "question":
                used = [chain[0].relation for chain in chains]
                about = self._about(first[0].subject.kind)
                firsts = [r for r in about if r not in used and _fits(r, hops - 1, False)]
                if same == "entity" and firsts:
                    start = first[0].subject
                    other = self._path(hops, rng, firsts)
                else:
                    other = self.draw(hops, rng)
            chain = other and self.walk(other, rng, start, turning=same != "question")
            if not chain:
                return []
            chains.append(chain)
        return chains

    def _path(
        self, hops: int, rng: Random, firsts: Sequence[Relation] | None, comparable: bool = False
    ) -> list[Relation]:
        facts = self._facts
        querying = bool(self._queries and facts.queries) and rng.random() < self._queries
        for draw in range(DRAWS):
            path: list[Relation] = []
            wanted = querying and firsts is None and draw < DRAWS // 2
            choice: Sequence[Relation] = firsts or (*facts.relations, *(facts.queries if querying else ()))
            for left in reversed(range(hops)):
                fitting = [r for r in choice if r not in path and _fits(r, left, comparable)]
                if not fitting:
                    break
                path.append(rng.choice(fitting))
                leads_to = path[-1].object
                choice = ()
                if isinstance(leads_to, Kind):
                    choice = self._about(leads_to) if querying else facts.relations_of(leads_to)
            if len(path) == hops and not (wanted and not _takes_more(path)):
                return path
        return []

    def _about(self, kind: Kind) -> tuple[Relation, ...]:
        if not self._queries:
            return self._facts.relations_of(kind)
        return (*self._facts.relations_of(kind), *self._facts.queries_of(kind))


def _takes_more(path: Sequence[Relation]) -> bool:
    """Whether something on the path is more than looked up, or its last figure can be turned into another."""
    last = path[-1].object
    turns = isinstance(last, Quantity) and last.whole and bool(last.units or last.each)
    return turns or any(relation.query is not None for relation in path)


def _fits(relation: Relation, hops_left: int, comparable: bool) -> bool:
    if hops_left:
        # A list of several leads nowhere.
        several = relation.query is not None and relation.query.take.lists
        return isinstance(relation.object, Kind) and not several
    return not comparable or (relation.query is None and isinstance(relation.object, (Quantity, Date)))
