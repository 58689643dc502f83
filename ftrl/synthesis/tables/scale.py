"""Stage 4, complexity scaling: more parameters than the question needs, and tools that do not answer it.

Two of the paper's four operators are here: parameter expansion, with types other than text, and toolset
extension (section 3.1). The golden call stays what it was: every added parameter is optional.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from ftrl.synthesis.tables.decompose import Decomposition
from ftrl.synthesis.tables.document import Parameter, ToolDocument, document
from ftrl.synthesis.tables.facts import Facts, Kind, Quantity, Relation
from ftrl.synthesis.tables.integrate import Toolset
from ftrl.synthesis.tables.style import Style

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


def scale(
    decomposition: Decomposition,
    toolset: Toolset,
    facts: Facts,
    style: Style,
    rng: Random,
) -> Toolset:
    """Add optional parameters and distractor tools, and shuffle the list."""
    golden = [document.relation for document in toolset.documents]
    extra = [document(relation, style, rng) for relation in _distractors(decomposition, facts, golden, style, rng)]
    documents = [_expand(tool, style, rng) for tool in (*toolset.documents, *extra)]
    rng.shuffle(documents)
    return replace(toolset, documents=tuple(documents))


def _distractors(
    decomposition: Decomposition, facts: Facts, golden: list[Relation], style: Style, rng: Random
) -> list[Relation]:
    """Relations that no step needs; the first and a share of the others know something of a golden subject."""
    count = rng.randint(*style.distractors)
    near: list[Relation] = []
    for step in decomposition.steps:
        near += [r for r in facts.relations_of(step.fact.subject.kind) if r not in golden and r not in near]
    far = [r for r in facts.relations if r not in golden and r not in near]
    rng.shuffle(near)
    rng.shuffle(far)
    chosen: list[Relation] = []
    while len(chosen) < count and (near or far):
        take_near = bool(near) and (
            (not chosen and style.near_misses > 0) or not far or rng.random() < style.near_misses
        )
        chosen.append((near if take_near else far).pop())
    return chosen


def _expand(tool: ToolDocument, style: Style, rng: Random) -> ToolDocument:
    answer = tool.relation.object
    possible = [DETAIL] if tool.relation.subject.numbered else [IGNORE_CASE, DETAIL]
    if isinstance(answer, Quantity) and answer.whole:
        possible.append(ROUND_TO)
    if isinstance(answer, Kind) and answer.person and answer.words == 2:
        possible.append(NAME_ORDER)
    count = rng.randint(0, min(style.expansions, len(possible)))
    chosen = rng.sample(possible, count)
    return tool.with_parameters(tuple(parameter for parameter in possible if parameter in chosen))
