"""``ftrl eval suites | fetch``: which benchmarks there are, and where their data comes from."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ftrl.commands.playing import JsonOption


def register(group: typer.Typer) -> None:
    """Add the commands to ``ftrl eval``."""
    group.command(name="suites")(suites)
    group.command(name="fetch")(fetch_command)


def suites(as_json: JsonOption = False) -> None:
    """The benchmarks: what each is, who publishes its data, its licence, and whether the data is here.

    Example: ftrl eval suites
    """
    import json
    from dataclasses import asdict

    from ftrl.evaluation.fetching import found
    from ftrl.evaluation.sources import SOURCES

    if as_json:
        told = {suite: {**asdict(source), "here": found(suite)} for suite, source in SOURCES.items()}
        typer.echo(json.dumps(told, indent=2))
        return
    for suite, source in SOURCES.items():
        typer.echo(f"{suite}: {source.title}")
        lines = {"from": source.origin, "licence": source.licence, "needs": source.files, "get it": source.how}
        for name, text in {**lines, "here": found(suite) or "no"}.items():
            typer.echo(f"  {name:8} {text}")


def fetch_command(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="One that `ftrl eval suites` names.")],
    out: Annotated[
        str | None,
        typer.Option("--out", help="Folder, local or s3://; the one in which the suite looks by itself if left out."),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option(
            "--mirror", metavar="URL", help="A server with the same paths as https://raw.githubusercontent.com."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Get a benchmark's data from where it is published, each file held against its digest. Run it again to go on.

    Example: ftrl eval fetch rotbench

    Example: ftrl eval fetch tau-bench --out s3://BUCKET/tau-bench
    """
    from rich.console import Console
    from rich.progress import Progress

    from ftrl.evaluation.fetching import fetch

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        shown = bar.add_task(suite, total=None)

        def tell(done: int, total: int) -> None:
            bar.update(shown, completed=done, total=total)
            if bar.disable:
                typer.echo(f"{suite}: {done}/{total} files", err=True)

        got = fetch(suite, out, mirror=mirror, tell=tell)
    if as_json:
        typer.echo(got.model_dump_json(indent=2))
        return
    typer.echo(f"{got.suite}: {got.files} files, {got.came} of them fetched now, from {got.repository} at {got.commit}")
    typer.echo(f"licence: {got.licence}")
    typer.echo(
        f"they are in {got.folder}; "
        + ("play them: " if out is None else "name them: ")
        + _command(got.suite, out and got.data)
    )


def _command(suite: str, data: str | None) -> str:
    return f"ftrl eval {suite} {data + ' ' if data else ''}--model … --out …"
