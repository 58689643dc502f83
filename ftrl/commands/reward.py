"""``ftrl reward``: score responses and trajectories."""

from __future__ import annotations

from typing import Annotated

import typer

from ftrl.errors import FtrlError

app = typer.Typer(help="Score responses and trajectories by the golds of their tasks.", no_args_is_help=True)

TasksArgument = Annotated[str, typer.Argument(help="A store, or a JSONL or Parquet file in the published format.")]
OutOption = Annotated[str, typer.Option("--out", help="JSONL file to write: the lines of the input plus their scores.")]
ProfileOption = Annotated[
    str,
    typer.Option(
        "--profile",
        help="Whose figures stand in the line: reference (the published rules) or strict (pays only for work). "
        "The other's stand beside them, under its name.",
    ),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", help="Sandbox workers; as many as there are cores if left out.")
]


@app.command()
def score(
    tasks: TasksArgument,
    responses: Annotated[
        str, typer.Argument(help='Lines {"task": row, "response": text, "unsolved"?, "solve_rate"?, "history"?}.')
    ],
    out: OutOption,
    metric: Annotated[str, typer.Option(help="solve_f1, solve_pr, solve_rate or solve_precision.")] = "solve_f1",
    profile: ProfileOption = "reference",
    workers: WorkersOption = None,
) -> None:
    """Score single responses with a training reward.

    Example: ftrl reward score tasks.jsonl responses.jsonl --out scores.jsonl --metric solve_f1
    """
    from ftrl.environments import open_tasks
    from ftrl.rewards.files import score_responses_file
    from ftrl.rewards.profiles import profile_named
    from ftrl.sandbox import Sandbox

    chosen = profile_named(profile)
    opened = open_tasks(tasks)
    with Sandbox(workers=workers) as sandbox:
        report = score_responses_file(opened, responses, out, metric=metric, profile=chosen, sandbox=sandbox)
    _say(report.lines, report.unscored, f"mean {metric}", report.mean, out)


@app.command()
def trajectories(
    tasks: TasksArgument,
    trajectories: Annotated[str, typer.Argument(help='Lines {"task": row, "turns": [texts], "max_turns"?}.')],
    out: OutOption,
    profile: ProfileOption = "reference",
    workers: WorkersOption = None,
) -> None:
    """Score whole trajectories: precision, recall, F1.

    Example: ftrl reward trajectories tasks.jsonl trajectories.jsonl --out scores.jsonl
    """
    from ftrl.environments import open_tasks
    from ftrl.rewards.files import score_trajectories_file
    from ftrl.rewards.profiles import profile_named
    from ftrl.sandbox import Sandbox

    chosen = profile_named(profile)
    opened = open_tasks(tasks)
    with Sandbox(workers=workers) as sandbox:
        report = score_trajectories_file(opened, trajectories, out, profile=chosen, sandbox=sandbox)
    _say(report.lines, report.unscored, "mean F1", report.mean, out)


def _say(lines: int, unscored: int, what: str, mean: float | None, out: str) -> None:
    shown = "-" if mean is None else f"{mean:.4f}"
    typer.echo(f"{lines} lines scored, {what} {shown}; written to {out}")
    if unscored:
        raise FtrlError(f"{unscored} lines could not be scored through a fault of the sandbox; score the file again")
