"""Stage 3, function integration: documents that overlap become one, and every sub-question knows its tool.

Documents overlap if they know the same relation: a question about two birthplaces needs one tool that is called
twice. And they may be merged if they know different things of the same kind: a register of persons is asked for an
employer in one call and for a birthplace in another, by a parameter that says what is wanted (paper, section 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from ftrl.synthesis.tables.decompose import Decomposition
from ftrl.synthesis.tables.facts import Relation
from ftrl.synthesis.tables.style import Style
from ftrl.synthesis.tables.tool import Parameter, Role, ToolDocument, apart
from ftrl.synthesis.tables.wording import a

MOST_FIELDS = 5
"""Relations of one tool."""

_REGISTERS = ("register", "records", "archive", "directory", "index", "catalogue")
_FIELDS = ("field", "attribute", "what", "property_name", "detail_wanted")
_OF_FIELDS = (
    "Which detail of the {kind} to return.",
    "The detail that is wanted.",
    "What to look up about the {kind}.",
)
_DESCRIPTIONS = (
    "Gives one detail of {a_kind}.",
    "Looks up one of several details of {a_kind}.",
    "Returns the detail of {a_kind} that is asked for.",
)


@dataclass(frozen=True)
class Toolset:
    """The tools of a task.

    Attributes:
        documents: golden tools and, after ``scale``, distractors; their order is the order in which they
        are shown.
        tool_of: sub-question id to the name of the tool that answers it.
    """

    documents: tuple[ToolDocument, ...]
    tool_of: dict[str, str]

    def document(self, name: str) -> ToolDocument:
        """The document of that name."""
        return next(document for document in self.documents if document.name == name)


def integrate(decomposition: Decomposition, documents: tuple[ToolDocument, ...], style: Style, rng: Random) -> Toolset:
    """Merge the documents, one for each step of the decomposition in its order, into a toolset."""
    kept: list[ToolDocument] = []
    at: list[int] = []
    for document in documents:
        same = next((n for n, other in enumerate(kept) if document.relation in other.relations), None)
        if same is None and style.functional and can_share(document):
            kin = (n for n, other in enumerate(kept) if can_share(other) and _fits(other, document))
            near = next(kin, None)
            if near is not None and rng.random() < style.functional:
                kept[near] = register((*kept[near].relations, document.relation), kept[near], rng)
                same = near
        if same is None:
            kept.append(document)
        at.append(len(kept) - 1 if same is None else same)
    kept = apart(kept)
    steps = zip(decomposition.steps, at, strict=True)
    return Toolset(tuple(kept), {step.id: kept[number].name for step, number in steps})


def can_share(document: ToolDocument) -> bool:
    """Whether the tool only looks up, so that it can look up other things as well."""
    takes = {parameter.role for parameter in document.parameters}
    return document.relation.query is None and takes <= {Role.SUBJECT, Role.KEY, Role.FIELD}


def register(relations: tuple[Relation, ...], document: ToolDocument, rng: Random) -> ToolDocument:
    """The document of a tool that knows several relations of one kind, by a parameter that says which is wanted."""
    kind = relations[0].subject.noun
    name = document.name
    if len(document.relations) == 1:
        name = f"{kind.replace(' ', '_')}_{rng.choice(_REGISTERS)}"
    merged = replace(document, name=name, relations=relations)
    fields = sorted(merged.field_of(relation) for relation in relations)
    text = rng.choice(_OF_FIELDS).format(kind=kind)
    subject = document.subject
    taken = [one for one in _FIELDS if one not in {parameter.name for parameter in subject}]
    field = Parameter(rng.choice(taken), "string", text, enum=tuple(fields), role=Role.FIELD)
    known = ", ".join(one.replace("_", " ") for one in fields)
    description = f"{rng.choice(_DESCRIPTIONS).format(a_kind=a(kind))} It knows: {known}."
    return replace(merged, description=description, parameters=(*subject, field))


def _fits(document: ToolDocument, other: ToolDocument) -> bool:
    same_kind = document.relation.subject == other.relation.subject
    return same_kind and len(document.relations) < MOST_FIELDS
