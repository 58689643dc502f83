"""``ftrl quickstart``: the whole loop on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ftrl.quickstart import QuickstartReport


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("quickstart")(quickstart)


def quickstart(
    out: Annotated[str, typer.Option("--out", help="Folder for everything that it makes.")] = "runs/quickstart",
    *,
    seed: Annotated[int, typer.Option(min=0, help="Of the tasks to train on, and of all sampling.")] = 0,
    learning_rate: Annotated[
        float | None, typer.Option(min=0, help="With 0 nothing is learnt: a control.", show_default="6e-4")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Tasks, rollouts, reward, training and evaluation in one go: no GPU, no network, some minutes.

    A tiny policy that ftrl brings along calls tools carelessly; training makes it careful.

    Example: ftrl quickstart --out runs/quickstart
    """
    from ftrl.commands.train import ConsoleWatcher
    from ftrl.quickstart import LEARNING_RATE
    from ftrl.quickstart import quickstart as run_quickstart

    rate = LEARNING_RATE if learning_rate is None else learning_rate
    report = run_quickstart(out, ConsoleWatcher(), seed=seed, learning_rate=rate)
    typer.echo(report.model_dump_json(indent=2)) if as_json else _show(report)


def _show(report: QuickstartReport) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="The held-out tasks, before and after training")
    for column in ("", "before", "after"):
        table.add_column(column, justify="left" if not column else "right")
    for name, before in report.before.scenarios.items():
        table.add_row(f"F1 {name}", f"{before.f1:.3f}", f"{report.after.scenarios[name].f1:.3f}")
    table.add_row("F1, mean of scenarios", f"{report.before.macro.f1:.3f}", f"{report.after.macro.f1:.3f}")
    console = Console()
    console.print(table)
    console.print(
        "Strict F1 at temperature 1. A careless demonstrator taught this policy; training made it careful, it did not "
        "teach it the use of tools.",
        soft_wrap=True,
    )
    console.print("reward per training step: " + " ".join(f"{reward:.3f}" for reward in report.rewards))
    console.print(
        "seconds: " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in report.seconds.items()), soft_wrap=True
    )
    console.print(f"everything is in {report.out}", soft_wrap=True)
    console.print(f"open {report.report} in a browser; the episodes: ftrl view {report.out}", soft_wrap=True)
