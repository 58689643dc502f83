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
from ftrl.synthesis.tables.facts import Clock, Date, Facts, Kind, Moment, Quantity, Relation, Take
from ftrl.synthesis.tables.integrate import MOST_FIELDS, Toolset, can_share, register
from ftrl.synthesis.tables.style import Style
from ftrl.synthesis.tables.tool import MOST_AT_ONCE, Form, Parameter, Role, ToolDocument, apart

IGNORE_CASE = Parameter(
    "ignore_case", "boolean", "Whether upper and lower case count as the same in the name.", False, (), False
)
DETAIL = Parameter(
    "detail",
    "string",
    "How much to return: only the value, or a record that also says what it is.",
    False,
    ("value", "record"),
    "value",
)
ROUND_TO = Parameter("round_to", "integer", "Round the number to a multiple of this; 1 leaves it exact.", False, (), 1)
NAME_ORDER = Parameter(
    "name_order",
    "string",
    "Which part of a person's name comes first in the result.",
    False,
    ("given_first", "family_first"),
    "given_first",
)
DATE_ORDER = Parameter(
    "date_order",
    "string",
    "How a date is written in the result: YYYY-MM-DD or DD-MM-YYYY.",
    False,
    ("year_first", "day_first"),
    "year_first",
)
NUMBER_FORMAT = Parameter(
    "number_format",
    "string",
    "Whether the result is a number, or a text with a space after every three digits.",
    False,
    ("number", "spaced"),
    "number",
)
STATISTIC = Parameter(
    "statistic",
    "string",
    "Which figure to make of them.",
    True,
    ("total", "average", "highest", "lowest"),
    role=Role.STATISTIC,
)
_MAY_BE_REQUIRED = (IGNORE_CASE, DETAIL)
"""What the answer does not hang on, whatever is chosen."""


def scale(decomposition: Decomposition, toolset: Toolset, facts: Facts, style: Style, rng: Random) -> Toolset:
    """Add what the style asks for, and shuffle the list."""
    golden = [relation for document in toolset.documents for relation in document.relations]
    chosen = _distractors(decomposition, facts, golden, style, rng)
    extra = [document(relation, style, rng) for relation in chosen]
    taken = [*golden, *chosen]
    documents = []
    for tool in (*toolset.documents, *extra):
        changed = _retype(_generalise(tool, facts, taken, style, rng), decomposition, style, rng)
        documents.append(_expand(changed, style, rng))
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


def _expand(tool: ToolDocument, style: Style, rng: Random) -> ToolDocument:
    """Parameter expansion: more parameters, some of them to be given."""
    answers = [relation.object for relation in tool.relations]
    subject = tool.parameter(Role.SUBJECT)
    assert subject is not None
    query = tool.relation.query
    if query is not None and query.take is Take.DAYS:
        return tool
    kind = tool.relation.subject
    plain = kind.numbered or kind.keys or subject.form is not Form.PLAIN
    possible = [DETAIL] if plain else [IGNORE_CASE, DETAIL]
    lists = query is not None and query.take.lists
    if len(answers) == 1 and not lists and tool.parameter(Role.STATISTIC) is None:
        possible += _of_answer(answers[0], style)
    taken = {parameter.name for parameter in tool.parameters}
    possible = [parameter for parameter in possible if parameter.name not in taken]
    count = rng.randint(0, min(style.expansions, len(possible)))
    chosen = rng.sample(possible, count)
    added = [parameter for parameter in possible if parameter in chosen]
    if style.required:
        added = [
            replace(parameter, required=True, default=None)
            if parameter in _MAY_BE_REQUIRED and rng.random() < style.required
            else parameter
            for parameter in added
        ]
    return tool.with_parameters(tuple(added))


def _of_answer(answer: Kind | Quantity | object, style: Style) -> list[Parameter]:
    if isinstance(answer, Quantity) and answer.whole:
        return [ROUND_TO, NUMBER_FORMAT] if style.wide else [ROUND_TO]
    if isinstance(answer, Kind) and answer.person and answer.words == 2:
        return [NAME_ORDER]
    return [DATE_ORDER] if style.wide and isinstance(answer, Date) and not isinstance(answer, (Clock, Moment)) else []
