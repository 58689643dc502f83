"""Stage 4, complexity scaling: four operators on a toolset, each with a strength, and when that is accepted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from ftrl.environments.schema import Json, Record
from ftrl.synthesis.document import Toolset, near_duplicates, toolset_broken
from ftrl.synthesis.finding import Finding


class Scaling(Record):
    """The strength of each operator; 0 switches it off (paper, section 3.1)."""

    generalise: int = Field(default=1, ge=0, le=3, description="How many more things each tool that is needed can do.")
    expand: int = Field(default=2, ge=0, le=6, description="Parameters added to each tool that is needed.")
    retype: int = Field(
        default=1, ge=0, le=3, description="Parameters of each such tool that become enum, number, array or object."
    )
    distractors: int = Field(default=2, ge=0, le=12, description="Tools added that no sub-question needs.")
    near_misses: int = Field(default=1, ge=0, le=12, description="How many of those are nearly the right one.")

    @property
    def changes_tools(self) -> bool:
        """Whether anything is to be done to the tools that are needed."""
        return bool(self.generalise or self.expand or self.retype)


def scaling_broken(before: Toolset, made: Toolset, scaling: Scaling) -> Finding | None:
    """The first rule that scaled tools break, if they break one; distractors come later.

    Args:
        before: the product of the stage before.
        made: what became of it.
        scaling: what was asked for.
    """
    return toolset_broken(made) or next(_scaled(before, made, scaling), None)


def _scaled(before: Toolset, made: Toolset, scaling: Scaling) -> Iterator[Finding]:
    if made.decomposition != before.decomposition:
        yield "sub_questions_changed", "scaling may change tools, not what is asked"
    if len(made.tools) != len(before.tools):
        yield "tools_changed", f"there were {len(before.tools)} tools, now there are {len(made.tools)}"
        return
    old = [tool["function"]["parameters"] for tool in before.tools]
    new = [tool["function"]["parameters"] for tool in made.tools]
    added = sum(map(_count, new)) - sum(map(_count, old))
    if added < scaling.expand * len(new):
        yield (
            "not_expanded",
            f"{scaling.expand} more parameters a tool were asked for, {scaling.expand * len(new)} in all; "
            f"{max(added, 0)} were added",
        )
    typed = sum(map(_typed, new)) - sum(map(_typed, old))
    if typed < scaling.retype * len(new):
        yield (
            "not_retyped",
            f"{scaling.retype * len(new)} more parameters with a choice, or of type number, integer, boolean, array or "
            f"object, were asked for; there are {max(typed, 0)}",
        )
    for name, other in near_duplicates(made.tools):
        yield "near_duplicate_tools", f"{name} and {other} do the same"


def extension_broken(before: Toolset, made: Toolset, scaling: Scaling, near_misses: dict[str, str]) -> Finding | None:
    """The first rule that distractors break, if they break one.

    Args:
        before: without them.
        made: with them.
        scaling: what was asked for.
        near_misses: those that are nearly the right one, with the name of the right one.
    """
    return toolset_broken(made) or next(_extended(before, made, scaling, near_misses), None)


def _extended(before: Toolset, made: Toolset, scaling: Scaling, near_misses: dict[str, str]) -> Iterator[Finding]:
    needed = {tool["function"]["name"] for tool in before.tools}
    if len(made.distractors) != scaling.distractors:
        yield "number_of_distractors", f"{scaling.distractors} were asked for, there are {len(made.distractors)}"
    right = [name for name, near in near_misses.items() if name in made.distractors and near in needed]
    if len(right) < min(scaling.near_misses, scaling.distractors):
        yield (
            "too_few_near_misses",
            f"{scaling.near_misses} must each be a near miss of one of {', '.join(sorted(needed))}; {len(right)} are",
        )
    for name, other in near_duplicates(made.tools):
        yield "near_duplicate_tools", f"{name} and {other} do the same: a distractor must do something else"


def _count(schema: dict[str, Json]) -> int:
    """Parameters, with the fields of objects."""
    return sum(1 + _count(_inner(each)) for each in schema.get("properties", {}).values())


def _typed(schema: dict[str, Json]) -> int:
    """Parameters that are more than free text."""
    return sum(
        (each.get("type") != "string" or "enum" in each) + _typed(_inner(each))
        for each in schema.get("properties", {}).values()
    )


def _inner(schema: dict[str, Any]) -> dict[str, Any]:
    items: dict[str, Any] = schema.get("items", {})
    return items if schema.get("type") == "array" else schema
