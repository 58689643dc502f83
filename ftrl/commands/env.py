"""``ftrl env``: move tasks in and out of stores, check them, and look at them."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ftrl.errors import InputError

if TYPE_CHECKING:
    from ftrl.environments.exchange import Progress

app = typer.Typer(help="Move tasks in and out of stores, check them, and look at them.", no_args_is_help=True)

TasksArgument = Annotated[str, typer.Argument(help="A store, or a JSONL or Parquet file in the published format.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("import")
def import_(
    file: Annotated[str, typer.Argument(help="A .jsonl or .parquet file in the published format; local or s3://.")],
    out: Annotated[str, typer.Option("--out", help="The store (a folder) to create; local or s3://.")],
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad rows out, and write them to OUT.rejects.jsonl.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a store that is there.")] = False,
) -> None:
    """Import tasks in the published format into a store.

    Nothing is written if a row is bad, unless --skip-bad is given.

    Example: ftrl env import tasks.jsonl --out data/tasks
    """
    from ftrl.environments.exchange import import_published, rejects_path

    with _progress("rows read") as report:
        done = import_published(file, out, skip_bad=skip_bad, overwrite=overwrite, on_progress=report)
    typer.echo(f"{done.rows - done.bad} tasks imported into {out}")
    if done.bad:
        typer.echo(f"{done.bad} bad rows left out; they and the reasons are in {rejects_path(out)}")


@app.command("export")
def export(
    tasks: TasksArgument,
    out: Annotated[str, typer.Option("--out", help="The .jsonl or .parquet file to write (replaced if it is there).")],
) -> None:
    """Export tasks in the published format.

    Example: ftrl env export data/tasks --out tasks.jsonl
    """
    from ftrl.environments.exchange import export_published

    with _progress("tasks written") as report:
        done = export_published(tasks, out, on_progress=report)
    typer.echo(f"{done.rows} tasks exported to {out}")


@app.command()
def validate(tasks: TasksArgument, as_json: JsonOption = False) -> None:
    """Check every task and list all that is wrong; exit code 2 if anything is.

    Example: ftrl env validate tasks.jsonl
    """
    from ftrl.environments.exchange import Progress
    from ftrl.environments.exchange import validate as validate_rows

    rows = bad = 0
    listed = []
    with _progress("rows checked") as report:
        for problems in validate_rows(tasks):
            rows, bad = rows + 1, bad + bool(problems)
            for problem in problems:
                if as_json:
                    listed.append({"line": problem.line, "field": problem.field, "message": problem.message})
                else:
                    typer.echo(InputError(problem.message, file=tasks, line=problem.line, field=problem.field))
            report(Progress(rows, bad))
    if as_json:
        typer.echo(json.dumps({"rows": rows, "bad_rows": bad, "problems": listed}, indent=2))
    else:
        typer.echo(f"{rows} rows checked: {f'{bad} are bad' if bad else 'all are sound'}")
    if bad:
        raise typer.Exit(2)


@app.command()
def stats(tasks: TasksArgument, as_json: JsonOption = False) -> None:
    """Figures per scenario: tasks, tools, golds, parameters, code, distractors.

    Example: ftrl env stats data/tasks
    """
    from ftrl.environments import describe, open_tasks
    from ftrl.environments.display import console, statistics_table

    statistics = describe(open_tasks(tasks))
    if as_json:
        typer.echo(json.dumps(statistics.as_json(), indent=2))
        return
    console().print(statistics_table(statistics))
    typer.echo(f"{statistics.distinct_sources} distinct tool sources")


@app.command()
def show(
    tasks: TasksArgument,
    task: Annotated[
        str,
        typer.Argument(metavar="ID", help="An id, its first 6 or more characters, or a row number from 0."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Print a task as a person reads it: question, golds, tools with their documents and source.

    Example: ftrl env show data/tasks 0
    """
    from ftrl.environments import open_tasks
    from ftrl.environments.display import console, task_view
    from ftrl.environments.tasks import find_task

    opened = open_tasks(tasks)
    environment = find_task(opened, task)
    sources = opened.sources(environment)
    if as_json:
        typer.echo(json.dumps({**environment.model_dump(mode="json"), "sources": sources}, indent=2))
        return
    console().print(task_view(environment, sources))


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Callable[[Progress], None]]:
    """Live progress on a terminal's standard error; now and then a plain line where it is none."""
    if not sys.stderr.isatty():
        yield lambda done: _plain_line(done, what)
        return
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    with Bars(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # results that go to a file must not land on standard error
    ) as bars:
        bar = bars.add_task(f"0 {what}")
        yield lambda done: bars.update(
            bar, description=f"{done.rows:,} {what}{f', {done.bad:,} bad' if done.bad else ''}"
        )


def _plain_line(done: Progress, what: str) -> None:
    if done.rows % 1000 == 0:
        typer.echo(f"{done.rows} {what}, {done.bad} bad" if done.bad else f"{done.rows} {what}", err=True)
