"""Stage 5, localised deployment: each document becomes one Python function that stands alone.

The function holds a small part of the facts: what the question asks for, and others of the same relation around it.
It does what its document says, refuses everything else with an error that names the argument but never repeats a
value, and never returns what it was given: a tool that echoes would pay for guesses (paper, section 3.1).

Beside its code a deployment has calls that the tool must answer, and calls that come close to a golden one without
meaning the same: neither may bring a gold.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from ftrl.synthesis.candidate import Deployment
from ftrl.synthesis.tables.code import (
    days_source,
    is_short,
    local_time_source,
    lookup_source,
    rows_source,
    table_source,
)
from ftrl.synthesis.tables.decompose import Decomposition
from ftrl.synthesis.tables.facts import Entity, Fact, Facts, Given, NothingToAsk, Relation, Row, Rows, Take
from ftrl.synthesis.tables.integrate import Toolset
from ftrl.synthesis.tables.queries import days_between, local_time, of_rows, other_bounds
from ftrl.synthesis.tables.sound import stands_in
from ftrl.synthesis.tables.style import Style
from ftrl.synthesis.tables.tool import Role, ToolDocument

FEWEST_RECORDS = 3
"""Entries of a tool's table; a table of less shows its answer to whoever looks at all."""

_OWNERS = (3, 5)
"""Fewest and most entities whose rows a tool holds."""

_ZONES = 6
"""Time zones and events that a tool holds beside those of the question."""


def deploy(
    decomposition: Decomposition, toolset: Toolset, facts: Facts, style: Style, rng: Random
) -> dict[str, Deployment]:
    """Write the code of every tool: tool name to deployment, in the order of the documents.

    A tool knows every entity of its kind that the question touches, distractors included: a wrong tool
    answers the right entity's name with something else, as it would in life.

    A distractor that can't be filled is left out.

    Raises:
        NothingToAsk: there is too little beside the question to fill a golden tool with.
    """
    golden = [step.fact for step in decomposition.steps]
    touched: list[Entity] = []
    for fact in golden:
        for entity in (fact.subject, fact.target):
            if entity is not None and entity not in touched:
                touched.append(entity)
    of_tool = {
        tool.name: [step.fact for step in decomposition.steps if toolset.tool_of[step.id] == tool.name]
        for tool in toolset.documents
    }
    deployments: dict[str, Deployment] = {}
    for tool in toolset.documents:
        try:
            deploying = _Deploying(tool, of_tool[tool.name], golden, touched, facts, style, rng)
            deployments[tool.name] = deploying.deployment()
        except NothingToAsk:
            if of_tool[tool.name]:
                raise
    return deployments


class _Deploying:
    """One tool on its way into code.

    Args:
        tool: its document.
        own: the golden facts that it answers.
        golden: all golden facts.
        touched: every entity of the question.
        facts: what is true.
        style: how much of it the tool holds.
        rng: chooses.
    """

    def __init__(
        self,
        tool: ToolDocument,
        own: list[Fact],
        golden: list[Fact],
        touched: list[Entity],
        facts: Facts,
        style: Style,
        rng: Random,
    ) -> None:
        self._tool = tool
        self._own = own
        self._golden = golden
        self._touched = touched
        self._facts = facts
        self._style = style
        self._rng = rng

    def deployment(self) -> Deployment:
        """Code, and calls to try it with."""
        query = self._tool.relation.query
        if query is None:
            return self._lookup()
        if query.rows is not None:
            return self._of_rows(query.rows)
        return self._days() if query.take is Take.DAYS else self._local_time()

    def _tells(self, text: str) -> bool:
        """Whether a text holds a gold: whoever else has the same to tell would be paid for, so it is left out."""
        return any(stands_in(text, fact.value) for fact in self._golden)

    def _lookup(self) -> Deployment:
        relations, style, rng = self._tool.relations, self._style, self._rng
        kind = relations[0].subject
        asked = {(fact.relation.key, fact.subject) for fact in self._golden}
        table: dict[Entity, dict[str, str]] = {}
        waiting = [entity for entity in self._touched if entity.kind == kind]
        for _ in range(len(waiting) + 10 * style.records):
            if not waiting and len(table) >= style.records:
                break
            entity = waiting.pop(0) if waiting else self._facts.stranger(kind, rng)
            if entity in table:
                continue
            known = {}
            for relation in relations:
                fact = self._facts.fact(relation, entity)
                if fact is not None and ((relation.key, entity) in asked or not self._tells(fact.value)):
                    known[relation.key] = fact.value
            if known:
                table[entity] = known
        if len(table) < FEWEST_RECORDS:
            raise NothingToAsk(f"too few have a {relations[0].nouns[0]} of their own ({relations[0].key})")
        subjects = list(table)
        rng.shuffle(subjects)
        table = {subject: table[subject] for subject in subjects}
        calls = [
            self._tool.call(Fact(relation, subject, None, table[subject][relation.key]))
            for subject in subjects
            for relation in relations
            if relation.key in table[subject]
        ]
        near = [self._tool.call(replace(fact, given=other)) for fact in self._own for other in self._other_turns(fact)]
        if not style.shapes and is_short(self._tool):
            values = {subject.arguments[0]: table[subject][relations[0].key] for subject in subjects}
            return Deployment(table_source(self._tool, values, rng), tuple(calls))
        return Deployment(lookup_source(self._tool, table, rng), tuple(calls), self._unlike_golden(near))

    def _other_turns(self, fact: Fact) -> list[Given | None]:
        """The same figure without its unit or number of pieces, and with others."""
        unit = self._tool.parameter(Role.UNIT)
        if fact.given is None:
            return []
        others: list[Given | None] = [None]
        if unit is not None:
            others += [Given("unit", name) for name in unit.enum]
        if fact.given.role == "pieces":
            others.append(Given("pieces", int(fact.given.value) + 1))
        return [other for other in others if other != fact.given]

    def _of_rows(self, rows: Rows) -> Deployment:
        relation, rng = self._tool.relation, self._rng
        own = [fact.subject for fact in self._own]
        known: dict[Entity, tuple[Row, ...]] = {}
        waiting = [entity for entity in self._touched if entity.kind == relation.subject]
        most = rng.randint(*_OWNERS)
        figures = relation.query is not None and relation.query.take is Take.TOTAL
        calls: list[dict[str, Any]] = []
        for _ in range(len(waiting) + 20 * most):
            if not waiting and len(known) >= most:
                break
            entity = waiting.pop(0) if waiting else self._facts.stranger(relation.subject, rng)
            if entity in known:
                continue
            belongings = self._facts.rows(rows, entity)
            if entity in own:
                known[entity] = belongings
                continue
            fact = of_rows(relation, entity, belongings, rng) if len(belongings) > 3 else None
            # What is returned: labels where there are some, else figures, and sums of them.
            told = [str(row.value if figures or row.label is None else row.label) for row in belongings]
            telling = any(map(self._tells, told))
            if fact is not None and not telling and not self._tells(fact.value):
                known[entity] = belongings
                calls.append(self._tool.call(fact))
        if len(known) < FEWEST_RECORDS:
            raise NothingToAsk(f"too few have {rows.plural} of their own ({relation.key})")
        near = []
        statistic = self._tool.parameter(Role.STATISTIC)
        for fact in self._own:
            for bound in other_bounds(relation, fact, known[fact.subject]):
                near.append(self._tool.call(replace(fact, given=Given("bound", bound))))
            golden = self._tool.call(fact)
            if statistic is not None:
                near += [{**golden, statistic.name: other} for other in statistic.enum[1:]]
        subjects = list(known)
        rng.shuffle(subjects)
        known = {subject: known[subject] for subject in subjects}
        calls += [self._tool.call(fact) for fact in self._own]
        return Deployment(rows_source(self._tool, known, rng), tuple(calls), self._unlike_golden(near))

    def _local_time(self) -> Deployment:
        relation, rng, facts = self._tool.relation, self._rng, self._facts
        assert relation.query is not None
        offset, start = relation.query.parts
        own = [(fact.subject, fact.given.entity) for fact in self._own if fact.given and fact.given.entity]
        zones = {zone.name: _value(facts, offset, zone) for zone, _ in own}
        events = {event.name: _value(facts, start, event) for _, event in own}
        for _ in range(_ZONES):
            zone, event = facts.stranger(offset.subject, rng), facts.stranger(start.subject, rng)
            moved, moment = _value(facts, offset, zone), _value(facts, start, event)
            if not any(self._tells(local_time(other, moved)) for other in (*events.values(), moment)):
                zones.setdefault(zone.name, moved)
            if not any(self._tells(local_time(moment, other)) for other in zones.values()):
                events.setdefault(event.name, moment)
        if min(len(zones), len(events)) < FEWEST_RECORDS:
            raise NothingToAsk(f"too few have a {relation.nouns[0]} of their own ({relation.key})")
        every = [self._local(zone, event) for zone in zones for event in events]
        golden = [self._tool.call(fact) for fact in self._own]
        strangers = [call for call in every if call not in golden]
        calls = [*golden, *rng.sample(strangers, min(len(strangers), self._style.records))]
        zones, events = (dict(rng.sample(list(table.items()), len(table))) for table in (zones, events))
        source = local_time_source(self._tool, zones, events, rng)
        return Deployment(source, tuple(calls), self._unlike_golden(strangers))

    def _local(self, zone: str, event: str) -> dict[str, Any]:
        relation = self._tool.relation
        return self._tool.call(Fact(relation, Entity(relation.subject, 0, zone), None, "", None, Given("event", event)))

    def _days(self) -> Deployment:
        rng = self._rng
        calls = [self._tool.call(fact) for fact in self._own]
        while len(calls) < len(self._own) + 6:
            first, second = (
                f"{rng.randint(1700, 1999)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}" for _ in range(2)
            )
            between = days_between(first, second)
            if not self._tells(between.value):
                calls.append(self._tool.call(between))
        return Deployment(days_source(self._tool, rng), tuple(calls))

    def _unlike_golden(self, calls: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
        """The calls but those that are golden, each once."""
        golden = [self._tool.call(fact) for fact in self._own]
        unlike: list[dict[str, Any]] = []
        for call in calls:
            if call not in golden and call not in unlike:
                unlike.append(call)
        return tuple(unlike)


def _value(facts: Facts, relation: Relation, entity: Entity) -> str:
    fact = facts.fact(relation, entity)
    assert fact is not None, "a world knows all about its times"
    return fact.value
