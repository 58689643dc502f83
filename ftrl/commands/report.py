"""``ftrl report``: one page that tells what came of a run."""

from __future__ import annotations

from typing import Annotated

import typer

PlayedTasksOption = Annotated[
    list[str] | None,
    typer.Option("--tasks", help="Tasks that the run was played on and does not name; may be given again."),
]
EvaluationsOption = Annotated[
    list[str] | None,
    typer.Option("--evaluation", metavar="DIR", help="An evaluation that lies elsewhere; given again, in their order."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="Folder that quickstart, train, rollout, eval or synth wrote, finished or not."
        ),
    ],
    out: Annotated[
        str | None, typer.Option("--out", help="The file; report.html in the run's folder if left out.")
    ] = None,
    tasks: PlayedTasksOption = None,
    evaluation: EvaluationsOption = None,
    tools: Annotated[
        bool,
        typer.Option(
            "--tools/--no-tools",
            help="Run tools, in the sandbox: for the audit, and for second looks of the strict profile.",
        ),
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write one HTML file: what was built, what the model did and why it was paid, what changed. It opens offline.

    Example: ftrl report runs/quickstart

    Example: ftrl report runs/qwen3 --evaluation results/base --evaluation results/tuned --out report.html
    """
    from ftrl.reports import write_report

    def tell(section: str) -> None:
        typer.echo(f"report: {section}", err=True)

    written = write_report(run, out, tasks=tasks or (), evaluations=evaluation or (), run_tools=tools, tell=tell)
    if as_json:
        typer.echo(written.model_dump_json(indent=2))
        return
    typer.echo(written.headline)
    typer.echo(f"report: {written.path} ({written.size / 1e6:.1f} MB)")
    for section, why in written.missing.items():
        typer.echo(f"without {section}: {why}", err=True)
