"""Stage 2, document generation: one tool document for each sub-question (paper, section 3.1)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace
from random import Random

from ftrl.synthesis.tables import wording
from ftrl.synthesis.tables.facts import Clock, Date, Kind, Moment, Quantity, Relation, Take, Text
from ftrl.synthesis.tables.queries import LISTED
from ftrl.synthesis.tables.style import Style
from ftrl.synthesis.tables.tool import Parameter, Role, ToolDocument

_VERBS = ("lookup", "find", "finder", "search", "get", "query", "info")
_DESCRIPTIONS = ("Gives {it}.", "Finds {it}.", "Returns {it}.", "Looks up {it}.", "Tells {it}.")
_PARAMETER_DESCRIPTIONS = (
    "{called} of the {kind}.",
    "The {kind}'s {its}.",
    "Which {kind}, by its {its}.",
    "The {kind}, by {its}.",
)
_MORE = (
    " The answer comes from a register and is {what}; {a_kind} that the register does not know is an error.",
    " Use it when the {its} is known exactly. The result is {what}.",
    " Takes the {its} as it is written in full and gives {what}. Fails if there is no such {kind}.",
)
_MORE_OF_QUERIES = (
    " The result is {what}. Fails if there is none, or no such {kind}.",
    " Gives {what}; an error where nothing fits.",
)
UNIT_NAMES = ("unit", "in_unit", "output_unit")
PIECES_NAMES = ("quantity", "pieces", "count")


def document(relation: Relation, style: Style, rng: Random, needs: AbstractSet[Role] = frozenset()) -> ToolDocument:
    """Write the document of a tool that knows one relation, in words drawn anew for each task.

    The tool's name begins with what it knows, and never with a verb: a small policy reads the first token.

    Args:
        relation: what the tool is for.
        style: how wordy.
        rng: chooses the words.
        needs: what calls must be able to say beside the subject and what the relation itself takes.
    """
    noun = rng.choice(relation.nouns)
    kind = relation.subject.noun
    first, *rest = noun.split()
    middle = kind.split() if rng.random() < 0.3 and not noun.startswith(kind) else []
    name = "_".join([first, *rest, *middle, rng.choice(_VERBS)])
    a_kind = wording.a(kind)
    called = relation.subject.called
    words = {
        "it": relation.query.told.format(a_kind) if relation.query else rng.choice(relation.phrases[:2]).format(a_kind),
        "kind": kind,
        "a_kind": a_kind,
        "its": called,
        "what": _answer(relation),
    }
    description = rng.choice(_DESCRIPTIONS).format(**words)
    if style.long_documents:
        more = _MORE[:2] if relation.subject.numbered else _MORE
        description += rng.choice(_MORE_OF_QUERIES if relation.query else more).format(**words)
    subject = _subject(relation.subject, rng)
    if relation.query is not None and relation.query.take is Take.DAYS:
        subject = (replace(subject[0], description="A date, written YYYY-MM-DD."),)
    return ToolDocument(name, description, (relation,), (*subject, *_given(relation, needs, rng)))


def _subject(kind: Kind, rng: Random) -> tuple[Parameter, ...]:
    """The parameters that say which member of a kind is asked about."""
    made: list[Parameter] = []
    for part in kind.keys or (kind,):
        names = [name for name in part.parameters if name not in {parameter.name for parameter in made}]
        words = {"kind": part.noun, "its": part.called, "called": part.called[:1].upper() + part.called[1:]}
        made.append(
            Parameter(
                name=rng.choice(names),
                type="integer" if part.numbered else "string",
                description=rng.choice(_PARAMETER_DESCRIPTIONS).format(**words),
                role=Role.KEY if made else Role.SUBJECT,
            )
        )
    return tuple(made)


def _given(relation: Relation, needs: AbstractSet[Role], rng: Random) -> tuple[Parameter, ...]:
    """The parameters for what is given beside the subject."""
    query, answer = relation.query, relation.object
    if query is not None:
        role = {Take.TIME: Role.EVENT, Take.DAYS: Role.END}.get(query.take, Role.BOUND)
        type_ = "string"
        if query.rows is not None and isinstance(query.rows.value, Quantity):
            type_ = "integer" if query.rows.value.whole else "number"
        return (Parameter(rng.choice(query.takes), type_, query.asks, role=role),)
    if not isinstance(answer, Quantity):
        return ()
    made = []
    if Role.UNIT in needs:
        made.append(replace(unit_parameter(answer), name=rng.choice(UNIT_NAMES)))
    if Role.PIECES in needs:
        made.append(replace(pieces_parameter(relation), name=rng.choice(PIECES_NAMES)))
    return tuple(made)


def unit_parameter(answer: Quantity) -> Parameter:
    """The parameter that says in which unit a figure is wanted."""
    units = (answer.unit, *(unit for unit, _ in answer.units))
    text = "The unit of the result, which is rounded to a whole number."
    return Parameter("unit", "string", text, False, units, answer.unit, Role.UNIT, option="unit")


def pieces_parameter(relation: Relation) -> Parameter:
    """The parameter that says for how many pieces a figure is wanted."""
    text = f"For how many pieces the {relation.nouns[0]} is wanted, at least 1."
    return Parameter("quantity", "integer", text, False, (), 1, Role.PIECES, option="pieces")


def _answer(relation: Relation) -> str:
    answer = relation.object
    if relation.query is not None and relation.query.take.lists:
        return f"a list of at most {LISTED}; a call that more would fit has to be narrowed"
    if isinstance(answer, Quantity):
        number = "a whole number" if answer.whole else "a number"
        return f"{number} of {answer.unit}" if answer.unit else number
    if isinstance(answer, Kind):
        return (
            "a full name" if answer.person and answer.words == 2 else f"the {answer.called} of {wording.a(answer.noun)}"
        )
    return _WRITTEN[type(answer)]


_WRITTEN: dict[type, str] = {
    Date: "a date, written YYYY-MM-DD",
    Clock: "a time of day, written HH:MM",
    Moment: "a day and time, written YYYY-MM-DD HH:MM",
    Text: "a short text",
}
