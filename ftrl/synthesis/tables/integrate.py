"""Stage 3, function integration: documents that overlap become one, and every sub-question knows its tool.

Here documents overlap exactly if they know the same relation: a question about two birthplaces needs one
tool that is called twice (paper, section 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass

from ftrl.synthesis.tables.decompose import Decomposition
from ftrl.synthesis.tables.document import ToolDocument


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


def integrate(decomposition: Decomposition, documents: tuple[ToolDocument, ...]) -> Toolset:
    """Merge the documents, one for each step of the decomposition in its order, into a toolset."""
    kept: list[ToolDocument] = []
    tool_of: dict[str, str] = {}
    for step, document in zip(decomposition.steps, documents, strict=True):
        same = next((other for other in kept if other.relation == document.relation), None)
        if same is None:
            kept.append(document)
        tool_of[step.id] = (same or document).name
    return Toolset(tuple(kept), tool_of)
