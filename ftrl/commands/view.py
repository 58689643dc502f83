"""``ftrl view``: a run's episodes in Inspect's viewer."""

from __future__ import annotations

import tempfile
from typing import Annotated

import typer

from ftrl.commands.report import EvaluationsOption, PlayedTasksOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("view")(view)


def view(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="Folder that quickstart, train, rollout or eval wrote, finished or not."),
    ],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the viewer, on this machine only.")] = 7575,
    export: Annotated[
        str | None, typer.Option("--export", metavar="DIR", help="Only write the logs into this folder.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Episodes of each set at most, of the same tasks in all sets.")
    ] = None,
    tasks: PlayedTasksOption = None,
    evaluation: EvaluationsOption = None,
    tools: Annotated[
        bool,
        typer.Option("--tools/--no-tools", help="Run tools, in the sandbox, for second looks of the strict profile."),
    ] = True,
) -> None:
    """Open trajectories and evaluations in Inspect's viewer: every call, what came back, the score and why.

    Example: ftrl view runs/quickstart

    Example: ftrl view runs/quickstart --export logs
    """
    from ftrl.reports.viewing import run_viewer, write_logs

    with tempfile.TemporaryDirectory(prefix="ftrl-view-") as temporary:
        logs = write_logs(
            run, export or temporary, tasks=tasks or (), evaluations=evaluation or (), most=limit, run_tools=tools
        )
        for log in logs:
            where = f"{log.path}: " if export else ""
            typer.echo(f"{where}{log.episodes} of {log.of} episodes of {log.label}", err=export is None)
        if export is None:
            run_viewer(temporary, port)
