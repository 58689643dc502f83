"""A task as a person reads it, from top to bottom: question, how it comes apart, golds, tools, where it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.syntax import Syntax
from rich.text import Text

from ftrl.environments.checks import tool_name, tool_parameters, tool_required
from ftrl.environments.schema import Environment, Json, SubQuestion
from ftrl.environments.trace import waves


class Section(NamedTuple):
    """A part of the page."""

    heading: str
    body: Text


def task_view(environment: Environment, sources: Mapping[str, str], *, terminal: bool = False) -> RenderableType:
    """The whole page: with rules between its parts on a terminal, as plain indented text elsewhere."""
    first = Text(_summary(environment), style="dim")
    sections = _sections(environment, sources)
    if terminal:
        parts = (
            (Rule(Text(one.heading, style="bold"), align="left"), Padding(one.body, (0, 0, 1, 2))) for one in sections
        )
        return Group(first, *(part for pair in parts for part in pair))
    lines = [first]
    for one in sections:
        lines += [Text(), Text(one.heading, style="bold"), _indented(one.body)]
    return Text("\n").join(lines)


def _summary(environment: Environment) -> str:
    with_golds = {gold.tool for gold in environment.golds}
    distractors = sum(tool_name(schema) not in with_golds for schema in environment.tools)
    figures = (
        f"{_count(environment.tools, 'tool')}, {distractors} of them distractors; {_count(environment.golds, 'gold')}"
    )
    return f"{environment.scenario.value}   {environment.split}   {environment.id}\n{figures}"


def _sections(environment: Environment, sources: Mapping[str, str]) -> Iterator[Section]:
    yield Section("Question", Text(environment.question))
    yield Section("Answer", Text("(none is given)" if environment.answer is None else environment.answer))
    if environment.trace:
        yield Section("Sub-questions", Text("\n".join(dependency_tree(environment.trace))))
    yield Section("Golds: what the calls must bring back", Text("\n".join(_golds(environment))))
    with_golds = {gold.tool for gold in environment.golds}
    for schema in environment.tools:
        name = tool_name(schema) or "?"
        yield Section(
            f"Tool {name}" + ("" if name in with_golds else "   (distractor)"), _tool(schema, sources.get(name))
        )
    if environment.provenance:
        yield Section("Provenance", Text("\n".join(_laid_out(environment.provenance))))


def dependency_tree(trace: Sequence[SubQuestion]) -> list[str]:
    """The sub-questions as lines of a tree: each hangs on the last of those whose answers it needs.

    An argument that is the answer of another sub-question says of which.
    """
    try:
        ordered = [step for wave in waves(trace) for step in wave]
    except ValueError:  # a circle, or a dependency that is not there: no tree, and worth seeing
        return [line for step in trace for line in _step(step, {}, step.depends_on)]
    place = {step.id: at for at, step in enumerate(ordered)}
    answers = {step.id: step.answer for step in trace}
    hanging: dict[str | None, list[SubQuestion]] = {}
    for step in trace:
        hanging.setdefault(max(step.depends_on, key=place.__getitem__, default=None), []).append(step)

    def grown(step: SubQuestion) -> Iterator[str]:
        under = hanging.get(step.id, [])
        first, *others = _step(step, answers, step.depends_on if len(step.depends_on) > 1 else ())
        yield first
        yield from (("│" if under else " ") + line for line in others)
        for child in under:
            last = child is under[-1]
            (head, *tail) = grown(child)
            yield ("└─ " if last else "├─ ") + head
            yield from (("   " if last else "│  ") + line for line in tail)

    return [line for root in hanging.get(None, []) for line in grown(root)]


def _step(step: SubQuestion, answers: Mapping[str, str], needs: Sequence[str]) -> list[str]:
    known = {answers[name]: name for name in step.depends_on if name in answers}
    arguments = ", ".join(
        f"{name}={_json(value)}" + (f" ← {known[str(value)]}" if str(value) in known else "")
        for name, value in step.arguments.items()
    )
    after = f"   (after {', '.join(needs)})" if needs else ""
    return [f"{step.id}  {step.text}{after}", f"   {step.tool}({arguments}) → {step.answer}"]


def _golds(environment: Environment) -> Iterator[str]:
    of_tool: dict[str, list[str]] = {}
    for gold in environment.golds:
        of_step = f" ({gold.sub_question})" if gold.sub_question else ""
        of_tool.setdefault(gold.tool, []).append(_json(gold.value) + of_step)
    yield from (f"{tool}: {', '.join(values)}" for tool, values in of_tool.items())


def _tool(schema: Mapping[str, Json], source: str | None) -> Text:
    described = Text(str(schema.get("function", {}).get("description", "")))
    required = tool_required(schema)
    for name, document in tool_parameters(schema).items():
        for line in _parameter(name, document, name in required):
            described.append(f"\n  {line}")
    if source is None:
        return described
    code = Syntax("", "python", theme="ansi_dark").highlight(source.strip("\n"))
    code.rstrip()
    return Text("\n").join([described, Text(), code])


def _parameter(name: str, document: Json, required: bool) -> Iterator[str]:
    if not isinstance(document, dict):
        yield f"{name}: {_json(document)}"
        return
    kind = document.get("type", "any")
    kind = " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
    items = document.get("items")
    if kind == "array" and isinstance(items, dict) and "type" in items:
        kind = f"array of {items['type']}"
    choices = f" one of {_json(document['enum'])}" if "enum" in document else ""
    default = f" (default {_json(document['default'])})" if "default" in document else ""
    yield f"{name}: {kind}{'' if required else ', optional'}{choices}{default}  {document.get('description', '')}"
    inner = items if isinstance(items, dict) and "properties" in items else document
    properties, needed = inner.get("properties"), inner.get("required")
    for key, part in properties.items() if isinstance(properties, dict) else ():
        for line in _parameter(key, part, isinstance(needed, list) and key in needed):
            yield f"  {line}"


def _laid_out(value: Mapping[str, Json]) -> Iterator[str]:
    for key, entry in value.items():
        if isinstance(entry, dict) and entry:
            yield f"{key}:"
            yield from (f"  {line}" for line in _laid_out(entry))
        elif isinstance(entry, list) and any(isinstance(one, (dict, list)) for one in entry):
            yield f"{key}:"
            yield from (f"  {_json(one)}" for one in entry)
        elif isinstance(entry, list):
            yield f"{key}: {', '.join(map(_plain, entry))}"
        else:
            yield f"{key}: {_plain(entry)}"


def _plain(value: Json) -> str:
    return value if isinstance(value, str) and value else _json(value)


def _count(things: Sequence[object], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def _indented(text: Text, by: str = "  ") -> Text:
    return Text("\n").join(
        Text.assemble(by, line) if line.plain else line for line in text.split("\n", allow_blank=True)
    )


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
