"""Stage 3, function integration: documents that overlap become one, and when that is accepted."""

from __future__ import annotations

from collections.abc import Iterator

from ftrl.synthesis.document import Toolset, near_duplicates, toolset_broken
from ftrl.synthesis.finding import Finding


def integration_broken(before: Toolset, made: Toolset) -> Finding | None:
    """The first rule that merged documents break, if they break one.

    Args:
        before: the product of the stage before.
        made: what became of it.
    """
    return toolset_broken(made) or next(_findings(before, made), None)


def _findings(before: Toolset, made: Toolset) -> Iterator[Finding]:
    if made.decomposition != before.decomposition:
        yield "sub_questions_changed", "integration may change tools, not what is asked"
    if len(made.tools) > len(before.tools):
        yield "more_tools", f"there were {len(before.tools)} tools, now there are {len(made.tools)}"
    for name, other in near_duplicates(made.tools):
        yield "near_duplicate_tools", f"{name} and {other} do the same; make one tool of them"
