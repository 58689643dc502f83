"""Stage 4, complexity scaling: tools that do more than is asked, take more than is needed, and do not help at all.

The paper's four operators (section 3.1), each with a strength of its own in ``Style``: functional generalisation,
parameter expansion, type generalisation, and toolset extension. The golden call stays one call, and its meaning the
only one that brings the answer: whatever is added is either optional or named by the question.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from ftrl.synthesis.tables.decompose import Decomposition
from ftrl.synthesis.tables.document import document
from ftrl.synthesis.tables.facts import Facts, Kind, Relation, Take
from ftrl.synthesis.tables.integrate import MOST_FIELDS, Toolset, can_share, register
from ftrl.synthesis.tables.options import expanded
from ftrl.synthesis.tables.style import Style
from ftrl.synthesis.tables.tool import MOST_AT_ONCE, Form, Parameter, Role, ToolDocument, apart

STATISTIC = Parameter(
    "statistic",
    "string",
    "Which figure to make of them.",
    True,
    ("total", "average", "highest", "lowest"),
    role=Role.STATISTIC,
)


def scale(decomposition: Decomposition, toolset: Toolset, facts: Facts, style: Style, rng: Random) -> Toolset:
    """Add what the style asks for, and shuffle the list."""
    golden = [relation for document in toolset.documents for relation in document.relations]
    chosen = _distractors(decomposition, facts, golden, style, rng)
    extra = [document(relation, style, rng) for relation in chosen]
    taken = [*golden, *chosen]
    documents = []
    for tool in (*toolset.documents, *extra):
        changed = _retype(_generalise(tool, facts, taken, style, rng), decomposition, style, rng)
        documents.append(expanded(changed, style, rng))
    documents = apart(documents)
    names = {before.name: after.name for before, after in zip(toolset.documents, documents, strict=False)}
    rng.shuffle(documents)
    return Toolset(tuple(documents), {step: names[name] for step, name in toolset.tool_of.items()})


def _distractors(
    decomposition: Decomposition, facts: Facts, golden: list[Relation], style: Style, rng: Random
) -> list[Relation]:
    """Relations that no step needs; the first and a share of the others are near misses.

    Near is what is known of a golden subject; with ``close_calls`` also what other kinds are asked for in the same
    words, or with the same kind of answer.
    """
    count = rng.randint(*style.distractors)
    near: list[Relation] = []
    for step in decomposition.steps:
        near += [r for r in facts.relations_of(step.fact.subject.kind) if r not in golden and r not in near]
    every: tuple[Relation, ...] = facts.relations
    if style.queries:
        every = (*facts.relations, *facts.queries)
        kinds = [step.fact.subject.kind for step in decomposition.steps]
        near += [r for kind in kinds for r in facts.queries_of(kind) if r not in golden and r not in near]
    if style.close_calls:
        near += [r for r in every if r not in golden and r not in near and any(_alike(r, one) for one in golden)]
    far = [r for r in every if r not in golden and r not in near]
    rng.shuffle(near)
    rng.shuffle(far)
    chosen: list[Relation] = []
    while len(chosen) < count and (near or far):
        first = not chosen and style.near_misses > 0
        take_near = bool(near) and (first or not far or rng.random() < style.near_misses)
        chosen.append((near if take_near else far).pop())
    return chosen


def _alike(one: Relation, other: Relation) -> bool:
    """Whether a tool for the one could be taken for a tool for the other: named alike, or the same of another kind."""
    words = {word for noun in one.nouns for word in noun.split()}
    named = bool(words & {word for noun in other.nouns for word in noun.split()})
    return named or (isinstance(one.object, Kind) and one.object == other.object and not one.object.person)


def _generalise(tool: ToolDocument, facts: Facts, taken: list[Relation], style: Style, rng: Random) -> ToolDocument:
    """Functional generalisation: the tool also tells other things of the same kind, or makes other figures."""
    if not style.functional or rng.random() >= style.functional:
        return tool
    query = tool.relation.query
    if query is not None and query.take is Take.TOTAL:
        return tool.with_parameters((STATISTIC,))
    others = [r for r in facts.relations_of(tool.relation.subject) if r not in taken]
    room = MOST_FIELDS - len(tool.relations)
    if not can_share(tool) or not others or room < 1:
        return tool
    more = rng.sample(others, min(len(others), rng.randint(1, room)))
    taken += more
    return register((*tool.relations, *more), tool, rng)


def _retype(tool: ToolDocument, decomposition: Decomposition, style: Style, rng: Random) -> ToolDocument:
    """Type generalisation: a name becomes a list of names or an object of its parts, a bound becomes a range."""
    if not style.types or rng.random() >= style.types:
        return tool
    subject, bound = tool.parameter(Role.SUBJECT), tool.parameter(Role.BOUND)
    assert subject is not None
    kind, query = tool.relation.subject, tool.relation.query
    if bound is not None and query is not None and bound.type != "string":
        ends = ("below", "above") if query.take is Take.LAST else ("above", "below")
        parts = tuple((end, {"type": bound.type, "description": f"Only what is {end} this."}) for end in ends)
        text = f"{bound.description} The {ends[1]} end may be left out."
        return tool.with_parameter(replace(bound, type="object", description=text, form=Form.RANGE, parts=parts))
    if kind.person and kind.words == 2:
        parts = tuple(
            (f"{part}_name", {"type": "string", "description": f"The {part} name, as it is written."})
            for part in ("given", "family")
        )
        text = f"{subject.description} In its two parts."
        return tool.with_parameter(replace(subject, type="object", description=text, form=Form.NAMES, parts=parts))
    asked = sum(step.fact.relation in tool.relations for step in decomposition.steps)
    # One call with two names would bring two answers, of which only one is paid.
    if asked <= 1 and query is None and not kind.numbered and not kind.keys:
        name = subject.name if subject.name.endswith("s") else f"{subject.name}s"
        text = f"{subject.description.rstrip('.')}; one or several, {MOST_AT_ONCE} at most."
        return tool.with_parameter(replace(subject, name=name, type="array", description=text, form=Form.LIST))
    return tool
