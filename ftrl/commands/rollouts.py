"""``ftrl rollouts``: what can be done with a store of trajectories."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

app = typer.Typer(help="Tidy a store of trajectories, and write its steps for others.", no_args_is_help=True)

StoreArgument = Annotated[str, typer.Argument(help="A trajectory store, local or s3://.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def export(
    store: StoreArgument,
    tasks: Annotated[str, typer.Option("--tasks", help="The tasks that were played: a store or a published file.")],
    out: Annotated[str, typer.Option("--out", help="The .jsonl or .parquet file to write; local or s3://.")],
    iteration: Annotated[int | None, typer.Option(help="Only the trajectories of this round of training.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write every step of every trajectory, one row each, in the published step-expanded format.

    Example: ftrl rollouts export rollouts/ --tasks tasks.jsonl --out steps.parquet
    """
    from ftrl.rollouts.export import export_steps

    with _progress() as report:
        steps = export_steps(store, tasks, out, iteration=iteration, on_progress=report)
    typer.echo(json.dumps({"steps": steps, "out": out}) if as_json else f"{steps} steps written to {out}")


@app.command()
def compact(store: StoreArgument, as_json: JsonOption = False) -> None:
    """Make few large files of many small ones. Others may read and write meanwhile; kill it at any time.

    Example: ftrl rollouts compact s3://bucket/rollouts
    """
    from dataclasses import asdict

    from ftrl.rollouts import TrajectoryStore

    with TrajectoryStore.open(store) as opened:
        done = opened.compact()
    if as_json:
        typer.echo(json.dumps(asdict(done)))
        return
    typer.echo(
        f"{done.parts_before} parts of {done.bytes_before:,} bytes are {done.parts_after} of {done.bytes_after:,} now"
    )


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Trajectories so far: live on a terminal's standard error, now and then a plain line where it is none."""
    if not sys.stderr.isatty():
        yield _plain_line
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()) as bars:
        bar = bars.add_task("trajectories", total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)


def _plain_line(done: int, total: int) -> None:
    if done % 1000 == 0:
        typer.echo(f"{done} of {total} trajectories", err=True)
