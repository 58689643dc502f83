"""Records of the task browser."""

from __future__ import annotations

from ftrl.environments.schema import Record


class Step(Record):
    """A sub-question with its golden call.

    Attributes:
        id: its name within the task.
        text: the sub-question.
        answer: what is right.
        depends_on: those whose answers it needs.
        wave: the round in which it can be answered, from 0; null where the dependencies make no order.
        tool, arguments: the golden call; arguments as JSON text.
    """

    id: str
    text: str
    answer: str
    depends_on: tuple[str, ...]
    wave: int | None
    tool: str
    arguments: str


class GoldValue(Record):
    """What a call of ``tool`` must bring back."""

    tool: str
    value: str
    sub_question: str | None


class ToolDocument(Record):
    """A tool as the model sees it, and the id of its source; ``distractor`` if no gold belongs to it."""

    name: str
    description: str
    parameters: str
    source: str | None
    distractor: bool


class TaskPage(Record):
    """One task.

    Attributes:
        id: of the environment.
        set: index of its set in the browser.
        row: 0-based place in that set.
        tree: the dependency tree as text.
        scores: label of an episode set → mean F1 of the task there.
        provenance: where it comes from, as JSON text.
    """

    id: str
    set: int
    row: int
    scenario: str
    split: str
    question: str
    answer: str | None
    steps: tuple[Step, ...]
    tree: str
    golds: tuple[GoldValue, ...]
    tools: tuple[ToolDocument, ...]
    scores: dict[str, float]
    provenance: str


class TaskBrowser(Record):
    """Some of the tasks.

    Attributes:
        of: how many tasks there are.
        chosen: how those that are shown were chosen, in a sentence.
        sets: paths of the sets.
        tasks: by set and row.
        sources: id of a source → source.
    """

    of: int
    chosen: str
    sets: tuple[str, ...]
    tasks: tuple[TaskPage, ...]
    sources: dict[str, str]
