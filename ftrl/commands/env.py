"""``ftrl env``: move tasks in and out of stores, check and audit them, look at them, and serve them."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from ftrl.commands import env_serving
from ftrl.errors import InputError

if TYPE_CHECKING:
    from ftrl.environments import Environment
    from ftrl.environments.exchange import Progress

app = typer.Typer(
    help="Move tasks in and out of stores, check and audit them, look at them, and serve them.", no_args_is_help=True
)

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
    min_quality: Annotated[
        str | None,
        typer.Option(
            help="A, B, C or D: audit every task, and leave out those below this grade; they too are written to "
            "OUT.rejects.jsonl."
        ),
    ] = None,
) -> None:
    """Import tasks in the published format into a store.

    Nothing is written if a row is bad, unless --skip-bad is given.

    Example: ftrl env import tasks.jsonl --out data/tasks --min-quality B
    """
    from ftrl.environments.exchange import import_published, rejects_path

    with _audited(min_quality) as objection, _progress("rows read") as report:
        done = import_published(
            file, out, skip_bad=skip_bad, overwrite=overwrite, objection=objection, on_progress=report
        )
    typer.echo(f"{done.rows - done.bad - done.refused} tasks imported into {out}")
    if done.bad:
        typer.echo(f"{done.bad} bad rows left out; they and the reasons are in {rejects_path(out)}")
    if done.refused and min_quality is not None:
        typer.echo(
            f"{done.refused} tasks below grade {min_quality.upper()} left out; "
            f"they and the reasons are in {rejects_path(out)}"
        )


@app.command("export")
def export(
    tasks: TasksArgument,
    out: Annotated[
        str,
        typer.Option(
            "--out",
            help="The .jsonl or .parquet file to write (replaced if it is there); for other formats than published "
            "the folder to create.",
        ),
    ],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="published: a file in the published format. verifiers, openenv: a package for that training stack, "
            "which runs the tools and computes the rewards by way of ftrl.",
        ),
    ] = "published",
    name: Annotated[str | None, typer.Option(help="Name of the package; after the folder if left out.")] = None,
) -> None:
    """Export tasks in the published format, or as a package that another training stack loads.

    Example: ftrl env export data/tasks --out tasks.jsonl

    Example: ftrl env export data/tasks --out packages/my-tasks --format verifiers
    """
    from ftrl.environments.exchange import export_published

    with _progress("tasks written") as report:
        if form == "published":
            done = export_published(tasks, out, on_progress=report)
        else:
            from ftrl.serving import export_package

            done = export_package(tasks, out, form, name=name, on_progress=report)
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
def schema(
    tables: Annotated[
        list[str], typer.Argument(help="CSV, TSV, Parquet, SQLite or DuckDB files, or folders of them; as in synth.")
    ],
    declared: Annotated[str | None, typer.Option("--schema", help="A YAML file: what is not to be found.")] = None,
) -> None:
    """Print what synth finds in tables - keys, names, references, words - as the file that its --schema takes.

    Example: ftrl env schema shop.sqlite > shop.yaml
    """
    from ftrl.synthesis.tables.tabular import find_schema

    told = find_schema(tables, declared)
    for table in told.passed_over:
        typer.echo(f"no question is about rows of {table}", err=True)
    typer.echo(told.schema.as_yaml(), nl=False)


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
    """Print a task as a person reads it: question, tree of sub-questions, golds, tools with their source, provenance.

    Example: ftrl env show data/tasks 0
    """
    from ftrl.environments import open_tasks
    from ftrl.environments.display import console
    from ftrl.environments.task_view import task_view
    from ftrl.environments.tasks import find_task

    opened = open_tasks(tasks)
    environment = find_task(opened, task)
    sources = opened.sources(environment)
    if as_json:
        typer.echo(json.dumps({**environment.model_dump(mode="json"), "sources": sources}, indent=2))
        return
    out = console()
    out.print(task_view(environment, sources, terminal=out.is_terminal), soft_wrap=not out.is_terminal)


@app.command()
def audit(
    tasks: TasksArgument,
    as_json: Annotated[
        bool, typer.Option("--json", help='Print JSON: {"report": counts, "tasks": each with its findings}.')
    ] = False,
    out: Annotated[
        str | None, typer.Option("--out", help="A JSONL file to write: a task a line, with all its findings.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Sandbox workers; as many as there are cores if left out.")
    ] = None,
) -> None:
    """Find out what each task would pay for nothing, and what else is wrong with it. Findings are no error.

    Example: ftrl env audit data/tasks --out audit.jsonl
    """
    from ftrl import storage
    from ftrl.audit import audit_report
    from ftrl.audit.display import print_json, report_view
    from ftrl.environments import open_tasks
    from ftrl.environments.display import console
    from ftrl.environments.exchange import Progress

    opened = open_tasks(tasks)
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(storage.writing(out))] if out else []
        spool = stack.enter_context(tempfile.TemporaryFile())
        with _progress("tasks audited") as report:
            audited = audit_report(
                opened,
                workers=workers,
                lines=[*lines, *([spool] if as_json else [])],
                on_progress=lambda done: report(Progress(done)),
            )
        if as_json:
            spool.seek(0)
            print_json(audited, spool)
            return
    for part in report_view(audited):
        console().print(part)
    if out:
        typer.echo(f"each task's findings are in {out}")


@contextlib.contextmanager
def _audited(min_quality: str | None) -> Iterator[Callable[[Environment, Mapping[str, str]], str | None] | None]:
    """What an audit has to say against a task, where tasks are to have a grade."""
    if min_quality is None:
        yield None
        return
    from ftrl.audit import Auditor, grade_named

    least = grade_named(min_quality)
    with Auditor() as auditor:

        def objection(environment: Environment, sources: Mapping[str, str]) -> str | None:
            found = auditor.audit(environment, sources)
            if found.grade.meets(least):
                return None
            return f"the task has grade {found.grade.value}, and {least.value} is asked for: {found.summary()}"

        yield objection


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


env_serving.register(app)
