"""``ftrl rollout``: collect trajectories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ftrl.commands.playing import (
    AddressOption,
    BudgetOption,
    ContextOption,
    EnginesOption,
    HangOption,
    InFlightOption,
    JsonOption,
    LeastEnginesOption,
    LimitOption,
    MaxTurnsOption,
    ModelOption,
    ParserOption,
    PriceOption,
    ReasoningOption,
    ResponseOption,
    SeedOption,
    TasksArgument,
    TensorOption,
    ThinkingOption,
    playing,
)

if TYPE_CHECKING:
    from ftrl.rollouts import CollectReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="rollout")(rollout)


def rollout(
    tasks: TasksArgument,
    model: ModelOption,
    out: Annotated[str, typer.Option("--out", help="Trajectory store to write, local or s3://.")],
    samples: Annotated[int, typer.Option(help="Episodes of each task.")] = 1,
    max_turns: MaxTurnsOption = 20,
    temperature: Annotated[float, typer.Option(help="0 takes the likeliest token.")] = 1.0,
    max_response_tokens: ResponseOption = 1024,
    thinking: ThinkingOption = False,
    parser: ParserOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the store that is there.")] = False,
    limit: LimitOption = None,
    engines: EnginesOption = 1,
    tensor_parallel: TensorOption = 1,
    max_model_len: ContextOption = None,
    in_flight: InFlightOption = None,
    least_engines: LeastEnginesOption = None,
    hang_seconds: HangOption = 300.0,
    profile: Annotated[str, typer.Option(help="Scoring profile that reads the calls: reference or strict.")] = (
        "reference"
    ),
    seed: SeedOption = None,
    episode_tokens: Annotated[
        int | None, typer.Option("--episode-tokens", help="Tokens that the model may generate in one episode.")
    ] = None,
    stop_after: Annotated[
        int | None,
        typer.Option(help="End an episode after so many turns in a row that only repeat calls; not with reference."),
    ] = None,
    budget_tokens: Annotated[
        int | None, typer.Option(help="Begin no further episode once so many tokens are generated.")
    ] = None,
    budget_usd: BudgetOption = None,
    price: PriceOption = None,
    base_url: AddressOption = None,
    reasoning_effort: ReasoningOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a model play every task and store the trajectories. Kill it at any time; --resume goes on.

    Example: ftrl rollout tasks.jsonl --model DIR --out rollouts/ --samples 8

    A server of your own: ftrl rollout tasks.jsonl --model openai-api/local/NAME --base-url http://HOST:8000/v1
    --in-flight 512 --out rollouts/
    """
    from ftrl.rollouts import CollectConfig, collect
    from ftrl.rollouts.settings import settings_from

    config = settings_from(
        CollectConfig,
        tasks=tasks,
        model=model,
        out=out,
        samples=samples,
        limit=limit,
        resume=resume,
        **playing(
            max_turns=max_turns,
            temperature=temperature,
            max_response_tokens=max_response_tokens,
            thinking=thinking,
            parser=parser,
            engines=engines,
            tensor_parallel=tensor_parallel,
            max_model_len=max_model_len,
            in_flight=in_flight,
            least_engines=least_engines,
            hang_seconds=hang_seconds,
            base_url=base_url,
            price=price,
            profile=profile,
            seed=seed,
            max_tokens=episode_tokens,
            stop_after=stop_after,
            reasoning_effort=reasoning_effort,
        ),
        budget_tokens=budget_tokens,
        budget_usd=budget_usd,
    )
    report = collect(config)
    typer.echo(report.model_dump_json(indent=2) if as_json else _summary(report))


def _summary(report: CollectReport) -> str:
    lines = [f"{report.episodes} episodes in {report.store}, {report.collected} of them collected now"]
    if report.collected:
        rate = report.collected / report.seconds if report.seconds else 0.0
        tokens = report.tokens / report.seconds if report.seconds else 0.0
        lines += [
            f"in {report.seconds:.1f} s: {rate:.2f} episodes/s, {tokens:.0f} tokens/s",
            f"a mean episode: {report.turns:.1f} turns, {report.calls:.1f} calls, "
            f"precision {report.precision:.3f}, recall {report.recall:.3f}, F1 {report.f1:.3f}",
            "ended as " + ", ".join(f"{status} {count}" for status, count in report.statuses.items()),
        ]
    if report.usd:
        lines.append(f"cost: ${report.usd:.2f}")
    if report.errors:
        lines.append("errors: " + ", ".join(f"{kind} {count}" for kind, count in report.errors.items()))
    return "\n".join(lines)
