"""Two sets of tasks side by side: how much there is to read, to choose from and to get wrong in each.

    python benchmarks/compare_tasks.py published.jsonl stores/rich [--audit]

Takes stores and files of tasks; with ``--audit`` also makes the calls of ``ftrl env audit``. Prints Markdown.
Files in the published form have no trace: of those, hops are left out.
"""

from __future__ import annotations

import argparse
import ast
import statistics
from collections import Counter
from collections.abc import Iterator

from ftrl.audit import audit_tasks
from ftrl.environments import Environment, Tasks, open_tasks
from ftrl.environments.checks import tool_name, tool_parameters, tool_required
from ftrl.environments.trace import waves


def main() -> None:
    """Compare what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="+", help="stores or files of tasks")
    parser.add_argument("--audit", action="store_true", help="also audit them (minutes)")
    options = parser.parse_args()
    columns = [measured(open_tasks(path), options.audit) for path in options.tasks]
    print("| | " + " | ".join(options.tasks) + " |\n|---|" + "---|" * len(columns))
    for name in columns[0]:
        print(f"| {name} | " + " | ".join(column[name] for column in columns) + " |")


def measured(tasks: Tasks, audited: bool) -> dict[str, str]:
    """Each figure by its name."""
    sums: dict[str, list[float]] = {}
    types: Counter[str] = Counter()
    lines = Counter(line for environment in tasks for line in environment.question.splitlines())
    for environment in tasks:
        sources = tasks.sources(environment)
        for name, value in of_task(environment, types, lines):
            sums.setdefault(name, []).append(value)
        for source in sources.values():
            for name, value in of_source(source):
                sums.setdefault(name, []).append(value)
    row = {"tasks": str(len(sums["tools a task"]))}
    row |= {name: f"{statistics.fmean(sums[name]):.2f}" if name in sums else "-" for name in NAMES}
    total = sum(types.values())
    common = ", ".join(f"{kind} {count / total:.0%}" for kind, count in types.most_common())
    row["types of parameters"] = common
    if audited:
        grades: Counter[str] = Counter()
        severities: Counter[str] = Counter()
        for task in audit_tasks(tasks):
            grades[task.grade.value] += 1
            severities.update(finding.severity.value for finding in task.findings)
        row["audit: grades"] = ", ".join(f"{grade} {count}" for grade, count in sorted(grades.items()))
        worst = ("severe", "high", "low")
        row["audit: findings"] = ", ".join(f"{name} {severities[name]}" for name in worst)
    return row


NAMES = (
    "tools a task",
    "distractors a task",
    "golds a task",
    "hops",
    "question, characters",
    "question, characters of lines that no other task has",
    "parameters a tool",
    "required parameters a tool",
    "code, lines a tool",
    "code, characters a tool",
    "error branches a tool",
)


def of_task(environment: Environment, types: Counter[str], lines: Counter[str]) -> Iterator[tuple[str, float]]:
    """The figures of a task and of its documents; ``lines`` counts those of all questions."""
    needed = {gold.tool for gold in environment.golds}
    yield "tools a task", len(environment.tools)
    yield "distractors a task", sum(tool_name(tool) not in needed for tool in environment.tools)
    yield "golds a task", len(environment.golds)
    yield "question, characters", len(environment.question)
    own = [line for line in environment.question.splitlines() if lines[line] == 1]
    yield "question, characters of lines that no other task has", sum(map(len, own))
    if environment.trace:
        yield "hops", len(waves(environment.trace))
    for tool in environment.tools:
        parameters = tool_parameters(tool)
        yield "parameters a tool", len(parameters)
        yield "required parameters a tool", len(tool_required(tool))
        for schema in parameters.values():
            types["enum" if "enum" in schema else str(schema.get("type"))] += 1


def of_source(source: str) -> Iterator[tuple[str, float]]:
    """The figures of a tool's code. An error branch raises, or returns something that names an error."""
    yield "code, lines a tool", sum(bool(line.strip()) for line in source.splitlines())
    yield "code, characters a tool", len(source)
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:
        return
    raised = sum(isinstance(node, ast.Raise) for node in nodes)
    # A helper that raises is a branch wherever it is called.
    helpers = {
        node.name
        for node in nodes
        if isinstance(node, ast.FunctionDef)
        and [argument.arg for argument in node.args.args] == ["condition", "message"]
    }
    called = sum(isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in helpers for n in nodes)
    returned = [node for node in nodes if isinstance(node, ast.Return) and node.value is not None]
    told = sum("error" in ast.unparse(node).lower() or "not found" in ast.unparse(node).lower() for node in returned)
    yield "error branches a tool", raised - len(helpers) + called + told


if __name__ == "__main__":
    main()
