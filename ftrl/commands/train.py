"""``ftrl train``: collect → train → merge, for all iterations of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("train")(train)


def train(
    config: Annotated[
        list[str],
        typer.Option(
            metavar="FILE",
            help="YAML file of the run; see jobs/configs. Given again, each is laid over those before it.",
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a setting, e.g. optim.max_steps=3."),
    ] = None,
    overlap: Annotated[
        bool,
        typer.Option(
            "--overlap", help="Train while the rest is still being collected: the same as --set collect.overlap=true."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print verl's resolved configuration as YAML and stop.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Train a policy; a run that was stopped goes on where it was when the command is given again.

    Example: ftrl train --config jobs/configs/cpu.yaml --set optim.max_steps=3
    """
    from ftrl.training import load_config

    loaded = load_config(config, (*(settings or ()), *(["collect.overlap=true"] if overlap else [])))
    if dry_run:
        from ftrl.training.dry_run import resolved_yaml

        typer.echo(resolved_yaml(loaded), nl=False)
        return
    from ftrl.training.iterations import train as run_training

    report = run_training(loaded, ConsoleWatcher())
    if json_:
        typer.echo(report.model_dump_json(indent=2))
        return
    for iteration in report.iterations:
        typer.echo(
            f"iteration {iteration.iteration}: {iteration.episodes} episodes, {iteration.steps} training steps, "
            f"policy in {iteration.policy}"
        )


class ConsoleWatcher:
    """Tells on stderr how a run goes on: a line a stage, a line a training step."""

    def stage(self, iteration: int, name: str) -> None:
        """A stage begins."""
        waits = {"train": " (verl starts; on a CPU this takes minutes)"}.get(name, "")
        where = f"iteration {iteration}: " if iteration else ""
        typer.echo(f"{where}{name}{waits}", err=True)

    def note(self, iteration: int, text: str) -> None:
        """Something that is worth a line."""
        typer.echo(f"iteration {iteration}: {text}", err=True)

    def step(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        """A training step has finished."""
        typer.echo(f"  {step_line(step, total, metrics)}", err=True)


def step_line(step: int, total: int, metrics: Mapping[str, float]) -> str:
    """A training step in a line."""
    shown = {
        "loss": "train/loss",
        "reward": "ftrl/score_sampled",
        "calls": "ftrl/calls",
        "ticked": "ftrl/ticked",
        "flat groups": "ftrl/groups_without_variance",
        "gradient": "actor/grad_norm",
        "engine-actor log-prob difference": "training/rollout_probs_diff_mean",
        "seconds": "timing_s/step",
    }
    parts = [f"{label} {metrics[key]:.4g}" for label, key in shown.items() if key in metrics]
    return f"step {step}/{total}: " + ", ".join(parts)
