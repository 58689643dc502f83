"""The tasks that a report shows: those of the trajectories beside them, and others from every scenario."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from ftrl.environments import Environment
from ftrl.environments.checks import tool_name
from ftrl.environments.schema import Json
from ftrl.environments.task_view import dependency_tree
from ftrl.environments.trace import waves
from ftrl.reports.choosing import Key, in_turns
from ftrl.reports.run import Run
from ftrl.reports.task_data import GoldValue, Step, TaskBrowser, TaskPage, ToolDocument
from ftrl.reports.texts import as_json, clipped, inside

MOST = 100
"""Tasks that are shown, beside those of the trajectories,"""

MOST_CHARACTERS = 5_000_000
"""and characters that they may take; the trajectories' own tasks come first."""


def task_browser(run: Run, wanted: Sequence[str]) -> TaskBrowser | None:
    """Some of the run's tasks; none if it names none.

    Args:
        run: the run.
        wanted: ids of the tasks whose trajectories are shown.
    """
    if not len(run.tasks):
        return None
    pages: list[TaskPage] = []
    sources: dict[str, str] = {}
    characters, scores = 0, _scores(run)
    sets = list(run.tasks.sets)
    shown = {id_ for id_ in wanted if id_ in run.tasks}
    for id_ in [*dict.fromkeys(id_ for id_ in wanted if id_ in shown), *_others(run, shown)]:
        found = run.tasks.get(id_)
        if found is None:
            continue
        page, of_tools = _page(run, sets, *found, scores.get(id_, {}))
        size = len(page.model_dump_json()) + sum(len(text) for key, text in of_tools.items() if key not in sources)
        if characters + size > MOST_CHARACTERS:
            continue  # a smaller one may still fit
        characters += size
        sources.update(of_tools)
        pages.append(page)
    pages.sort(key=lambda page: (page.set, page.row))
    chosen = "those whose trajectories are shown, and the first of each set, scenarios taking turns"
    return TaskBrowser(
        of=len(run.tasks),
        chosen="all of them" if len(pages) == len(run.tasks) else chosen,
        sets=tuple(inside(run.path, path) for path in sets),
        tasks=tuple(pages),
        sources=sources,
    )


def _others(run: Run, shown: set[str]) -> Iterable[str]:
    """Ids of further tasks: from every set its share, scenarios taking turns."""
    share = max(1, MOST // len(run.tasks.sets))
    for tasks in run.tasks.sets.values():
        scenarios = {environment.id: environment.scenario.value for environment in tasks}
        keys: list[Key] = [(id_, 0) for id_ in scenarios if id_ not in shown]
        yield from (id_ for id_, _ in in_turns(keys, scenarios.__getitem__)[:share])


def _scores(run: Run) -> dict[str, dict[str, float]]:
    """Task → label of an episode set → mean F1 there, under the profile of its episodes."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for episodes in run.episodes:
        scores: dict[str, list[float]] = defaultdict(list)
        for row in episodes.store.rows(["environment_id", "metrics"], episodes.collection.iteration):
            scores[row["environment_id"]].append(row["metrics"][0]["f1"])
        for task, of_task in scores.items():
            found[task][episodes.label] = fmean(of_task)
    return found


def _page(
    run: Run, sets: list[str], environment: Environment, sources: Mapping[str, str], scores: dict[str, float]
) -> tuple[TaskPage, dict[str, str]]:
    """A task's page, and id → source of its tools."""
    path, row = run.tasks.place(environment.id)
    with_golds = {gold.tool for gold in environment.golds}
    page = TaskPage(
        id=environment.id,
        set=sets.index(path),
        row=row,
        scenario=environment.scenario.value,
        split=environment.split,
        question=clipped(environment.question),
        answer=None if environment.answer is None else clipped(environment.answer),
        steps=_steps(environment),
        tree=clipped("\n".join(dependency_tree(environment.trace))),
        golds=tuple(
            GoldValue(tool=gold.tool, value=clipped(gold.value), sub_question=gold.sub_question)
            for gold in environment.golds
        ),
        tools=tuple(_document(schema, environment.implementations, with_golds) for schema in environment.tools),
        scores=scores,
        provenance=as_json(environment.provenance) if environment.provenance else "",
    )
    return page, {environment.implementations[tool]: clipped(source) for tool, source in sources.items()}


def _steps(environment: Environment) -> tuple[Step, ...]:
    try:
        rounds = {step.id: number for number, wave in enumerate(waves(environment.trace)) for step in wave}
    except ValueError:  # a circle, or a dependency that is not there: shown as it is, without an order
        rounds = {}
    return tuple(
        Step(
            id=step.id,
            text=clipped(step.text),
            answer=clipped(step.answer),
            depends_on=step.depends_on,
            wave=rounds.get(step.id),
            tool=step.tool,
            arguments=clipped(json.dumps(step.arguments, ensure_ascii=False)),
        )
        for step in environment.trace
    )


def _document(schema: dict[str, Json], implementations: Mapping[str, str], with_golds: set[str]) -> ToolDocument:
    name = tool_name(schema) or "?"
    function = schema.get("function") or {}
    return ToolDocument(
        name=name,
        description=clipped(str(function.get("description", ""))),
        parameters=as_json(function.get("parameters", {})),
        source=implementations.get(name),
        distractor=name not in with_golds,
    )
