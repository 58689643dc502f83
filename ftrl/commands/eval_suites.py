"""``ftrl eval rotbench | tau-bench | toolhop | bfcl | general``: the suites that other people published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ftrl.commands.playing import JsonOption, evaluates, evaluation, price_of
from ftrl.errors import FtrlError

if TYPE_CHECKING:
    from ftrl.rollouts import EpisodeSettings

TasksOption = Annotated[str | None, typer.Option("--tasks", help="The same as the argument.")]
TurnsOption = Annotated[
    int | None, typer.Option("--max-turns", help="Assistant turns of an episode; as published if left out.")
]


def register(group: typer.Typer) -> None:
    """Add the commands to ``ftrl eval``."""
    for name, command in (
        ("rotbench", rotbench),
        ("tau-bench", tau_bench),
        ("toolhop", toolhop),
        ("bfcl", bfcl),
        ("general", general),
    ):
        group.command(name=name)(command)


@evaluates
def rotbench(
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="RoTBench's folder Data, or one of its files; fetched data if left out."),
    ] = None,
    *,
    tasks: TasksOption = None,
    as_json: JsonOption = False,
    options: dict[str, Any],
) -> None:
    """Tools, parameters and values under noisy names (RoTBench). Kill it at any time; run it again to go on.

    Example: ftrl eval rotbench --model DIR --out eval/rotbench

    Example: ftrl eval rotbench RoTBench/Data/First_Turn/heavy.json --model openai/NAME --out eval/heavy
    """
    _evaluate("rotbench", data or tasks, options, None, as_json=as_json)


@evaluates
def tau_bench(
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="tau-bench.jsonl, or the folder that it is in; fetched data if left out."),
    ] = None,
    *,
    user_model: Annotated[
        str | None, typer.Option("--user-model", help="Who plays the customers: a model, given as in --model.")
    ] = None,
    mode: Annotated[str, typer.Option(help="Whose rules: official (Sierra's) or ftrl (the paper's).")] = "official",
    domain: Annotated[
        list[str] | None, typer.Option(help="airline or retail; give it twice for both, which is the default.")
    ] = None,
    user_temperature: Annotated[float, typer.Option(help="Of the customers' lines.")] = 1.0,
    user_base_url: Annotated[
        str | None, typer.Option("--user-base-url", help="Where the customers' provider is, as in --base-url.")
    ] = None,
    user_price: Annotated[
        str | None, typer.Option("--user-price", metavar="IN,OUT", help="Of the customers' model, as in --price.")
    ] = None,
    max_turns: TurnsOption = None,
    tasks: TasksOption = None,
    as_json: JsonOption = False,
    options: dict[str, Any],
) -> None:
    """Serving simulated customers of an airline and a shop (tau-bench). Kill it at any time; run it again to go on.

    Example: ftrl eval tau-bench --model DIR --user-model openai/NAME --trials 4 --out eval/tau

    For the paper's table: --mode ftrl
    """
    from ftrl.evaluation.settings import UserSettings
    from ftrl.rollouts import ProviderSettings
    from ftrl.rollouts.settings import settings_from

    user = None
    if user_model is not None:
        price_input, price_output = price_of(user_price)
        provider = settings_from(
            ProviderSettings, base_url=user_base_url, price_input=price_input, price_output=price_output
        )
        user = settings_from(UserSettings, model=user_model, temperature=user_temperature, provider=provider)
    more = {"mode": mode, "user": user, **({"domains": tuple(domain)} if domain else {})}
    _evaluate("tau-bench", data or tasks, options, max_turns, as_json=as_json, **more)


@evaluates
def toolhop(
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="ToolHop.json, or the same rows as JSONL; fetched data if left out."),
    ] = None,
    *,
    scenario: Annotated[str, typer.Option(help="direct (no tools), mandatory or free.")] = "mandatory",
    max_turns: TurnsOption = None,
    tasks: TasksOption = None,
    as_json: JsonOption = False,
    options: dict[str, Any],
) -> None:
    """Questions that need several tools in turn (ToolHop). Kill it at any time; run it again to go on.

    Example: ftrl eval toolhop --model DIR --out eval/toolhop
    """
    _evaluate("toolhop", file or tasks, options, max_turns, as_json=as_json, scenario=scenario)


@evaluates
def bfcl(
    folder: Annotated[
        str | None,
        typer.Argument(metavar="FOLDER", help="The package bfcl_eval, or where it lies; fetched data if left out."),
    ] = None,
    *,
    category: Annotated[
        list[str] | None,
        typer.Option(help="non_live, multi_turn or one of their categories; may be given more than once."),
    ] = None,
    tasks: TasksOption = None,
    as_json: JsonOption = False,
    options: dict[str, Any],
) -> None:
    """The Berkeley leaderboard, single-turn and multi-turn, by its own checkers. Kill it at any time; run it again.

    Example: ftrl eval bfcl --model DIR --category non_live --out eval/bfcl

    What it needs: ftrl eval fetch bfcl; or the package bfcl-eval, unpacked into a folder.
    """
    more = {"categories": tuple(category)} if category else {}
    _evaluate("bfcl", folder or tasks, options, None, as_json=as_json, **more)


@evaluates
def general(*, as_json: JsonOption = False, options: dict[str, Any]) -> None:
    """Arithmetic, reading and perplexity without tools, with texts that come with ftrl: has training cost anything?

    Example: ftrl eval general --model DIR --out eval/general
    """
    from ftrl.evaluation.general.suite import BUILT_IN

    _evaluate("general", BUILT_IN, options, None, as_json=as_json)


def _evaluate(
    suite: str, tasks: str | None, options: dict[str, Any], max_turns: int | None, *, as_json: bool, **more: Any
) -> None:
    from ftrl.evaluation.evaluating import evaluate_suite, incomplete, suite_of
    from ftrl.evaluation.settings import SuiteConfig
    from ftrl.evaluation.suite_results import render_suite
    from ftrl.rollouts.settings import settings_from

    chosen = settings_from(SuiteConfig, suite=suite, tasks=tasks, model=options["model"], out=options["out"], **more)
    published: EpisodeSettings = suite_of(chosen).settings
    values = evaluation(options, max_turns or published.max_turns)
    results = evaluate_suite(settings_from(SuiteConfig, suite=suite, tasks=tasks, **values, **more))
    typer.echo(results.model_dump_json(indent=2) if as_json else render_suite(results))
    if (missing := incomplete(results)) is not None:
        raise FtrlError(missing)
