"""``ftrl eval``: benchmarks."""

from __future__ import annotations

from typing import Annotated

import typer

from ftrl.commands.playing import (
    AddressOption,
    BudgetOption,
    ContextOption,
    EnginesOption,
    InFlightOption,
    JsonOption,
    LimitOption,
    MaxTurnsOption,
    ModelOption,
    PriceOption,
    ReasoningOption,
    ResponseOption,
    TensorOption,
    ThinkingOption,
    playing,
)
from ftrl.errors import InputError

LATER_SUITES = ("toolhop", "tau-bench", "rotbench", "bfcl", "general")
FROM_PYTHON = ("toolhop", "tau-bench", "rotbench")
"""Suites that are there, but without a command yet."""


group = typer.Typer(help="Run a benchmark with a model.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="eval")


@group.command(name="ftrl-test")
def ftrl_test(
    model: ModelOption,
    out: Annotated[str, typer.Option("--out", help="Folder for the results and the trajectories, local or s3://.")],
    tasks: Annotated[
        str, typer.Option("--tasks", help="The FTRL test set: a store, or a file in the published format.")
    ],
    trials: Annotated[int, typer.Option(help="Episodes of each task; scores are means over them.")] = 1,
    temperature: Annotated[float, typer.Option(help="0 takes the likeliest token.")] = 0.0,
    max_turns: MaxTurnsOption = 20,
    max_response_tokens: ResponseOption = 1024,
    thinking: ThinkingOption = False,
    limit: LimitOption = None,
    engines: EnginesOption = 1,
    tensor_parallel: TensorOption = 1,
    max_model_len: ContextOption = None,
    in_flight: InFlightOption = None,
    base_url: AddressOption = None,
    price: PriceOption = None,
    budget_usd: BudgetOption = None,
    reasoning_effort: ReasoningOption = None,
    as_json: JsonOption = False,
) -> None:
    """Precision, recall and F1 on FTRL tasks, per scenario and on average. Kill it at any time; run it again to go on.

    Example: ftrl eval ftrl-test --model DIR --tasks ftrl_test.jsonl --out eval/

    Example: ftrl eval ftrl-test --model openai/NAME --tasks ftrl_test.jsonl --out eval/ --in-flight 64 --budget-usd 20
    """
    from ftrl.evaluation import EvalConfig, evaluate, render_table
    from ftrl.rollouts.settings import settings_from

    config = settings_from(
        EvalConfig,
        tasks=tasks,
        model=model,
        out=out,
        trials=trials,
        limit=limit,
        **playing(
            max_turns=max_turns,
            temperature=temperature,
            max_response_tokens=max_response_tokens,
            thinking=thinking,
            engines=engines,
            tensor_parallel=tensor_parallel,
            max_model_len=max_model_len,
            in_flight=in_flight,
            base_url=base_url,
            price=price,
            reasoning_effort=reasoning_effort,
        ),
        budget_usd=budget_usd,
    )
    results = evaluate(config)
    typer.echo(results.model_dump_json(indent=2) if as_json else render_table(results))


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
    result = {"suite": runs[0].suite, "metric": chosen, **asdict(found)}
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

    typer.echo(render_paper_table(own_rows(map(open_run, folders)), form))


def _register_later_suite(name: str) -> None:
    @group.command(name=name, hidden=True, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
    def later() -> None:
        if name in FROM_PYTHON:
            raise InputError(
                f"the suite '{name}' has no command in this version yet; docs/evaluation.md plays it in Python"
            )
        raise InputError(f"the suite '{name}' is not in this version yet; there is ftrl-test")


for _name in LATER_SUITES:
    _register_later_suite(_name)
