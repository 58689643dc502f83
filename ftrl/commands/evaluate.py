"""``ftrl eval``: benchmarks."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ftrl.commands import eval_data, eval_suites
from ftrl.commands.playing import JsonOption, MaxTurnsOption, evaluates, evaluation
from ftrl.errors import FtrlError

group = typer.Typer(help="Run a benchmark with a model.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="eval")


@group.command(name="ftrl-test")
@evaluates
def ftrl_test(
    file: Annotated[
        str | None,
        typer.Argument(metavar="TASKS", help="A store, or a file as published; the fetched test set if left out."),
    ] = None,
    *,
    tasks: Annotated[str | None, typer.Option("--tasks", help="The same as the argument.")] = None,
    max_turns: MaxTurnsOption = 20,
    as_json: JsonOption = False,
    options: dict[str, Any],
) -> None:
    """Precision, recall and F1 on FTRL tasks, per scenario and on average. Kill it at any time; run it again to go on.

    Example: ftrl eval ftrl-test --model DIR --tasks ftrl_test.jsonl --out eval/

    Example: ftrl eval ftrl-test --model openai/NAME --tasks ftrl_test.jsonl --out eval/ --price 2,8 --budget-usd 20
    """
    from ftrl.evaluation import EvalConfig, evaluate, incomplete, render_table
    from ftrl.evaluation.fetching import fetched
    from ftrl.rollouts.settings import settings_from

    given = file or tasks or fetched("ftrl-test")
    results = evaluate(settings_from(EvalConfig, tasks=given, **evaluation(options, max_turns)))
    typer.echo(results.model_dump_json(indent=2) if as_json else render_table(results))
    if (missing := incomplete(results)) is not None:
        raise FtrlError(missing)


eval_suites.register(group)
eval_data.register(group)


@group.command(name="compare")
def compare_command(
    first: Annotated[str, typer.Argument(metavar="A", help="Folder of an evaluation.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Folder of another, of the same benchmark.")],
    metric: Annotated[
        str | None, typer.Option(help="What is compared; the benchmark's first metric if left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Whether A is better than B: the difference with its interval and p-value, and the tasks that flipped.

    Example: ftrl eval compare eval/base eval/trained
    """
    import json
    from dataclasses import asdict

    from ftrl.evaluation.stored import compare_runs, open_run, render_comparison

    runs = open_run(first), open_run(second)
    chosen, found = compare_runs(*runs, metric)
    not_run = {"A": runs[0].not_run, "B": runs[1].not_run}
    result = {"suite": runs[0].suite, "metric": chosen, **asdict(found), "not_run": not_run}
    typer.echo(json.dumps(result, indent=2) if as_json else render_comparison(*runs, chosen, found))


@group.command(name="table")
def table_command(
    folders: Annotated[list[str], typer.Argument(metavar="DIR...", help="Folders of evaluations, of any models.")],
    form: Annotated[str, typer.Option("--format", help="text, csv, latex or html.")] = "text",
) -> None:
    """The paper's Table 2 with your models in it.

    Example: ftrl eval table eval/ftrl-test eval/toolhop eval/tau-bench eval/rotbench --format latex
    """
    from ftrl.evaluation.paper_table import own_rows, render_paper_table
    from ftrl.evaluation.stored import open_run

    runs = [open_run(folder) for folder in folders]
    typer.echo(render_paper_table(own_rows(runs), form))
    for run in runs:
        for told in (run.part, run.missing):
            if told:
                typer.echo(f"ftrl: {run.path}: {told}", err=True)
