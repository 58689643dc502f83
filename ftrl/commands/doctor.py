"""``ftrl doctor``: what this machine, or a cluster, can run."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ftrl.doctor import Check

EXAMPLE = """Example: ftrl doctor --json | jq '.[] | select(.status != "ok")'"""

COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "missing": typer.colors.RED}


def register(app: typer.Typer) -> None:
    """Add the command to the top level."""
    app.command("doctor", epilog=EXAMPLE)(doctor)


def doctor(
    cluster: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONFIG",
            help="Look at the running Ray cluster instead: can it run this job's file? Given again, each is laid over "
            "those before it.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as a JSON array.")] = False,
) -> None:
    """Tell what this machine, or a cluster, can run, what is missing and how to get it.

    Exit code 1 if something is missing that the quickstart, or the run that the cluster is meant for, needs.

    Example: ftrl doctor --cluster jobs/configs/train.yaml
    """
    from ftrl.doctor import Check, examine

    if cluster:
        from ftrl.doctor.cluster import examine_cluster

        checks, purpose = examine_cluster(cluster), " + ".join(cluster)
    else:
        checks, purpose = examine(), "ftrl quickstart"
    if as_json:
        from pydantic import TypeAdapter

        typer.echo(TypeAdapter(list[Check]).dump_json(checks, indent=2).decode())
    else:
        print_checks(checks, purpose)
    if any(check.status == "missing" for check in checks):
        raise typer.Exit(1)


def print_checks(checks: list[Check], purpose: str) -> None:
    """One line a check, by area, and what to do below it; colours where the terminal shows them."""
    width = max(len(check.name) for check in checks)
    for area, members in groupby(checks, key=lambda check: check.area):
        typer.secho(area, bold=True)
        for check in members:
            status = typer.style(f"{check.status:7}", fg=COLOURS[check.status])
            typer.echo(f"  {status}  {check.name:{width}}  {check.found}")
            if check.advice:
                typer.echo(f"  {'':7}  {'':{width}}  -> {check.advice}")
    missing = ", ".join(check.name for check in checks if check.status == "missing")
    typer.echo(f"{purpose} cannot run without: {missing}" if missing else f"ready for: {purpose}")
