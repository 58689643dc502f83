"""From a run to the records of its report: each section from what is there, or a sentence on why it is not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import ftrl
from ftrl.reports.changes import heat_map_of
from ftrl.reports.construction import constructed_sets
from ftrl.reports.curves import training_iterations
from ftrl.reports.data import ReportData
from ftrl.reports.evaluations import evaluations_of
from ftrl.reports.overview import overview_of
from ftrl.reports.run import Run
from ftrl.reports.surroundings import surroundings_of
from ftrl.reports.task_browser import task_browser
from ftrl.reports.trajectories import shown_episodes
from ftrl.sandbox import Sandbox

_TASKS = "No tasks lie in this run, and none are named by it: name them with --tasks."

MISSING = {
    "construction": _TASKS,
    "tasks": _TASKS,
    "trajectories": "No episode has been played yet. `ftrl rollout` and `ftrl eval` play, and so does the first stage "
    "of `ftrl train`.",
    "training": "Nothing is trained in this run, or the first step is not finished.",
    "evaluation": "No evaluation is finished in this run. `ftrl eval ftrl-test … --out DIR` makes one; one that lies "
    "elsewhere is named with --evaluation.",
    "surroundings": "No stage has noted versions or settings yet.",
}
"""Section → what is said in its place."""


Tell = Callable[[str], None]
"""Is told what is looked at now."""


def report_data(
    run: Run, *, made: str | None = None, run_tools: bool = True, tell: Tell = lambda section: None
) -> ReportData:
    """Everything that the report of a run says.

    Args:
        run: the run.
        made: when the report is made, as it is to be read; left out, equal runs have equal reports.
        run_tools: whether tools may be run, in the sandbox: for audits, and for the second looks of the strict profile.
        tell: is told how it goes on.

    Raises:
        InputError: a part of the run is broken; says which file.
        FtrlError: the sandbox cannot start here.
    """
    tell("construction and audit" if run_tools else "construction")
    construction = constructed_sets(run, audit=run_tools)
    tell("trajectories")
    with ExitStack() as stack:
        second_looks = run_tools and len(run.tasks) and run.episodes
        sandbox = stack.enter_context(Sandbox(workers=1)) if second_looks else None
        trajectories = shown_episodes(run, sandbox)
    tell("training and evaluation")
    training = training_iterations(run)
    evaluation = evaluations_of(run)
    tell("what changed in the model")
    changes, why = heat_map_of(run)
    tell("tasks")
    sections = {
        "construction": construction,
        "tasks": task_browser(run, [group.task for group in trajectories.groups] if trajectories else []),
        "trajectories": trajectories,
        "training": tuple(one for one in training if one.steps),
        "evaluation": evaluation,
        "changes": changes,
        "surroundings": surroundings_of(run),
    }
    return ReportData(
        ftrl=ftrl.__version__,
        made=made,
        overview=overview_of(run, construction, training, evaluation),
        missing={name: {**MISSING, "changes": why}[name] for name, section in sections.items() if not section},
        **sections,
    )
