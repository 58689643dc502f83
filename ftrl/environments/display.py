"""Tasks and statistics as a person reads them on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from ftrl.environments.checks import tool_name, tool_parameters, tool_required
from ftrl.environments.schema import Environment, Json, SubQuestion
from ftrl.environments.statistics import Spread, Statistics

COLUMNS = {
    "tools": "tools",
    "distractors": "distractors",
    "golds": "golds",
    "parameters": "parameters/tool",
    "required": "required/tool",
    "code_lines": "code lines/tool",
    "question_characters": "question characters",
}
"""Spreads shown in the table: field of ``Figures`` → heading."""


def console() -> Console:
    """Standard output; wide when it is not a terminal, so that a line stays a line."""
    out = Console(highlight=False, soft_wrap=True)
    return out if out.is_terminal else Console(highlight=False, soft_wrap=True, width=200)


def statistics_table(statistics: Statistics) -> Table:
    """One row a scenario; each figure as mean and range."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("scenario")
    table.add_column("tasks", justify="right")
    for heading in COLUMNS.values():
        table.add_column(heading, justify="right")
    for name, figures in statistics.scenarios.items():
        spreads = (_spread(getattr(figures, field)) for field in COLUMNS)
        table.add_row(name, f"{figures.tasks:,}", *spreads, style="bold" if name == "all" else None)
    return table


def task_view(environment: Environment, sources: dict[str, str]) -> Text:
    """A task from top to bottom: question, sub-questions, golds, tools with their documents and sources."""
    return Text("\n").join(_task_lines(environment, sources))


def _task_lines(environment: Environment, sources: dict[str, str]) -> Iterator[Text]:
    yield Text(f"{environment.scenario.value}   {environment.split}   {environment.id}", style="dim")
    yield from _headed("Question", environment.question)
    yield from _headed("Answer", "(none is given)" if environment.answer is None else environment.answer)
    if environment.trace:
        yield from _headed("Sub-questions", "\n".join(map(_step, environment.trace)))
    golds = (f"{tool}: {', '.join(map(_json, values))}" for tool, values in environment.unsolved().items())
    yield from _headed("Golds: what the calls must bring back", "\n".join(golds))
    with_golds = {gold.tool for gold in environment.golds}
    for schema in environment.tools:
        name = tool_name(schema) or "?"
        description = str(schema.get("function", {}).get("description", ""))
        yield from _headed(f"Tool {name}" + ("" if name in with_golds else "   (distractor)"), description)
        for parameter, document in tool_parameters(schema).items():
            yield _indented(Text(_parameter(parameter, document, parameter in tool_required(schema))), "    ")
        if name in sources:
            yield Text()
            yield _indented(Syntax("", "python", theme="ansi_dark").highlight(sources[name].strip("\n")))
    if environment.provenance:
        yield from _headed("Provenance", json.dumps(environment.provenance, ensure_ascii=False, indent=2))


def _headed(heading: str, body: str) -> Iterator[Text]:
    yield Text()
    yield Text(heading, style="bold")
    yield _indented(Text(body))


def _indented(text: Text, by: str = "  ") -> Text:
    return Text("\n").join(Text.assemble(by, line) for line in text.split("\n", allow_blank=True))


def _step(step: SubQuestion) -> str:
    after = f"   (after {', '.join(step.depends_on)})" if step.depends_on else ""
    arguments = ", ".join(f"{name}={_json(value)}" for name, value in step.arguments.items())
    return f"{step.id}  {step.text}{after}\n    {step.tool}({arguments}) → {step.answer}"


def _parameter(name: str, document: dict[str, Json], required: bool) -> str:
    kind = f"{document.get('type', 'any')}{'' if required else ', optional'}"
    choices = f" one of {_json(document['enum'])}" if "enum" in document else ""
    default = f" (default {_json(document['default'])})" if "default" in document else ""
    return f"{name}: {kind}{choices}{default}  {document.get('description', '')}"


def _spread(spread: Spread) -> str:
    if spread.mean is None:
        return "-"
    if spread.least == spread.most:
        return f"{spread.most:,}"
    return f"{spread.mean:,.1f} ({spread.least:,}-{spread.most:,})"


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
