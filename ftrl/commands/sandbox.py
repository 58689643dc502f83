"""``ftrl sandbox``: run tool calls in the sandbox."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import Annotated

import typer

app = typer.Typer(help="Run tool calls in the sandbox.", no_args_is_help=True)

_CALLS_BETWEEN_PLAIN_LINES = 10_000


@app.callback()
def _group() -> None:
    """Run tool calls in the sandbox."""


@app.command()
def run(
    calls: Annotated[
        str,
        typer.Argument(help='Lines {"tools": {name: source}, "name": text, "arguments": object or JSON text}.'),
    ],
    out: Annotated[str, typer.Option("--out", help='JSONL file to write: {"output", "status", "seconds"} per call.')],
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Calls at a time; one per core if left out.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.001, help="Seconds that a call may take.")] = 10.0,
    no_legacy_namespace: Annotated[
        bool,
        typer.Option("--no-legacy-namespace", help="Hide the names that the published host imports (json, sleep, …)."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Make every call of a file in the sandbox, several at a time; results come in the order of the calls.

    All lines are checked first; the output file appears when the last call is answered.

    Example: ftrl sandbox run calls.jsonl --out results.jsonl --workers 4 --timeout 5
    """
    from ftrl.errors import FtrlError
    from ftrl.sandbox import CallStatus, Limits, Sandbox
    from ftrl.sandbox.files import run_file

    limits = Limits(seconds=timeout)
    with Sandbox(workers, limits, legacy_namespace=not no_legacy_namespace) as sandbox, _progress() as report:
        tally = run_file(calls, out, sandbox, report)
    counts = {status.value: count for status, count in sorted(tally.items(), key=lambda item: -item[1])}
    if as_json:
        typer.echo(json.dumps({"calls": sum(counts.values()), "statuses": counts, "out": out}))
    else:
        _say(counts, out)
    unanswered = tally.get(CallStatus.INFRASTRUCTURE, 0)
    if unanswered:
        raise FtrlError(
            f"{unanswered} calls got no answer through a fault of the sandbox, not of their tools; "
            f"their lines in {out} have status 'infrastructure' and say why. Run these again"
        )


def _say(counts: dict[str, int], out: str) -> None:
    listed = ", ".join(f"{count} {status}" for status, count in counts.items())
    typer.echo(f"{sum(counts.values())} calls made{f' ({listed})' if listed else ''}; results in {out}")


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal's standard error; now and then a plain line where it is none."""
    if not sys.stderr.isatty():
        yield _plain_line
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("calls", total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)


def _plain_line(done: int, total: int) -> None:
    if done % _CALLS_BETWEEN_PLAIN_LINES == 0:
        typer.echo(f"{done} of {total} calls answered", err=True)
