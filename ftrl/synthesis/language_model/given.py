"""What questions are made of, and what the first stage is given of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftrl import storage
from ftrl.environments.schema import Record, Scenario
from ftrl.errors import InputError
from ftrl.synthesis.language_model.settings import LanguageModelRun

LONGEST_DOCUMENT = 60_000
"""Characters of a text that goes into a prompt."""


class Posed(Record):
    """A question that is to become an environment.

    Attributes:
        scenario: the shape that it has to get; any if null.
        source: the text that it is about, if there is one.
    """

    question: str
    answer: str
    scenario: Scenario | None = None
    source: str | None = None


class Occasion(Record):
    """What a question is to be made from.

    Attributes:
        topic: a topic, or null where there is a text.
        source: a text.
        scenario: the shape that is wanted.
        number: which question about the same thing.
    """

    topic: str | None = None
    source: str | None = None
    scenario: Scenario
    number: int = 1


def read_given(run: LanguageModelRun) -> list[Posed] | list[str]:
    """Questions, texts or topics, in order.

    Raises:
        InputError: a file is missing, empty, or a line of it is wrong.
    """
    if run.questions is not None:
        return _questions(run.questions)
    if run.topics is not None:
        lines = storage.read_bytes(run.topics).decode("utf-8", "replace").splitlines()
        topics = [line.strip() for line in lines if line.strip()]
        if not topics:
            raise InputError("there is no topic in it; write one a line", file=run.topics)
        return topics
    return [_text(path) for path in _files(run.documents)]


def given_of(
    run: LanguageModelRun, given: Sequence[Any], scenarios: Sequence[Scenario], index: int
) -> Posed | Occasion:
    """What item ``index`` starts from: a question is an item, texts and topics take turns."""
    found = given[index % len(given)]
    if isinstance(found, Posed):
        return found
    number = index // len(given)
    # Shapes take turns for each text, and do not begin with the same one for all.
    scenario = scenarios[(index + number) % len(scenarios)]
    if run.topics is not None:
        return Occasion(topic=found, scenario=scenario, number=number + 1)
    return Occasion(source=found, scenario=scenario, number=number + 1)


def _questions(path: str) -> list[Posed]:
    questions = []
    for number, line in storage.json_lines(path):
        for field in ("question", "answer"):
            value = line.get(field)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and field == "answer":
                line[field] = str(value)
            elif not isinstance(value, str) or not value.strip():
                raise InputError("must be a text that is not empty", file=path, line=number, field=field)
        scenario = line.get("scenario")
        if scenario is not None and scenario not in [each.value for each in Scenario]:
            names = ", ".join(each.value for each in Scenario)
            raise InputError(
                f"'{scenario}' is no scenario; there are {names}", file=path, line=number, field="scenario"
            )
        questions.append(Posed(question=line["question"].strip(), answer=line["answer"].strip(), scenario=scenario))
    if not questions:
        raise InputError("there is no question in it", file=path)
    return questions


def _files(paths: Sequence[str]) -> list[str]:
    found: list[str] = []
    for path in paths:
        fs, inner = storage.filesystem(path)
        if fs.isdir(inner):
            names = sorted(str(name) for name in fs.ls(inner, detail=False))
            found += [storage.join(path, name.rsplit("/", 1)[-1]) for name in names if name.endswith((".md", ".txt"))]
        else:
            found.append(path)
    if not found:
        raise InputError("there is no .txt or .md file there", file=paths[0])
    return found


def _text(path: str) -> str:
    try:
        text = storage.read_bytes(path).decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise InputError(f"this is no UTF-8 text ({error.reason})", file=path) from error
    if not text:
        raise InputError("there is no text in it", file=path)
    if len(text) > LONGEST_DOCUMENT:
        raise InputError(
            f"it has {len(text):,} characters; split it into texts of at most {LONGEST_DOCUMENT:,}", file=path
        )
    return text
