"""``ftrl synth``: make verified environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ftrl.commands.synth_progress import SynthesisShown, stage_lines
from ftrl.environments.schema import Scenario
from ftrl.errors import InputError

if TYPE_CHECKING:
    from ftrl.synthesis import SynthesisReport


def register(app: typer.Typer) -> None:
    """Add the command to the top level."""
    app.command(name="synth")(synth)


def synth(
    *,
    out: Annotated[str, typer.Option(help="The store to write: a folder, local or s3://.")],
    generator: Annotated[
        str, typer.Option(help="tables: facts of your tables or of a fictional world, no model. llm: not yet.")
    ] = "tables",
    tables: Annotated[
        list[str] | None,
        typer.Option(help="A CSV, TSV, Parquet or SQLite file, or a folder; may be given more than once."),
    ] = None,
    schema: Annotated[
        str | None, typer.Option(help="A YAML file: keys, names and references that the tables do not tell.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="PROVIDER/NAME, for the llm generator.")] = None,
    count: Annotated[int, typer.Option(help="How many items to make.")] = 100,
    scenario: Annotated[
        list[Scenario] | None, typer.Option(help="Only these scenarios; may be given more than once.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Which world, and which tasks in it.")] = 0,
    split: Annotated[str, typer.Option(help="train or test: two worlds that share no name.")] = "train",
    style: Annotated[
        str, typer.Option(help="compact: short documents, for small policies. rich: for real models.")
    ] = "compact",
    distractors: Annotated[
        str | None, typer.Option(help="Fewest and most distractor tools, as 2-4 (the default of compact).")
    ] = None,
    hops: Annotated[str | None, typer.Option(help="Fewest and most hops of a chain, as 2-6.")] = None,
    branches: Annotated[str | None, typer.Option(help="Fewest and most parallel branches, as 2-6.")] = None,
    queries: Annotated[
        float | None, typer.Option(help="Share of chains that filter, add up, convert or ask for a time, 0 to 1.")
    ] = None,
    near_misses: Annotated[
        float | None, typer.Option(help="Share of distractors that are close to a tool that is needed, 0 to 1.")
    ] = None,
    functional: Annotated[float | None, typer.Option(help="Share of tools that serve more than asked, 0 to 1.")] = None,
    expansions: Annotated[
        int | None, typer.Option(help="Most parameters that a tool has beyond its own, 0 to 6.")
    ] = None,
    required: Annotated[float | None, typer.Option(help="Share of these that have to be given, 0 to 1.")] = None,
    types: Annotated[float | None, typer.Option(help="Share of tools that take lists and objects, 0 to 1.")] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="Evaluation TASKS that nothing may overlap with; may be given more than once."),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="How many verify side by side: Ray actors, if there are more than 256 items.")
    ] = 2,
    resume: Annotated[bool, typer.Option("--resume", help="Go on behind the last item in the store.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Make environments, every one verified in the sandbox, and write them to a store.

    Example: ftrl synth --out tasks --count 1000 --seed 7

    Example: ftrl synth --out tasks --tables shop.sqlite --count 200

    Example: ftrl synth --out s3://bucket/tasks --count 100000 --workers 64 --exclude benchmark.jsonl --resume

    A run that is broken off keeps what it has committed, and goes on there with --resume. Rejections, with their
    reasons, are in OUT/construction/rejections.
    """
    from pydantic import ValidationError

    from ftrl.synthesis import SynthesisConfig, synthesize

    if model is not None and generator == "tables":
        raise InputError("the tables generator needs no model; leave --model out", field="model")
    try:
        config = SynthesisConfig.model_validate(
            {
                "out": out,
                "generator": generator,
                "tables": tuple(tables or ()),
                "table_schema": schema,
                "count": count,
                "scenarios": tuple(scenario or Scenario),
                "seed": seed,
                "split": split,
                "style": style,
                "distractors": _range(distractors, "distractors"),
                "hops": _range(hops, "hops"),
                "branches": _range(branches, "branches"),
                "queries": queries,
                "near_misses": near_misses,
                "functional": functional,
                "expansions": expansions,
                "required": required,
                "types": types,
                "exclude": tuple(exclude or ()),
                "workers": workers,
                "resume": resume,
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(str(first["msg"]).removeprefix("Value error, "), field=str(first["loc"][0])) from error
    with SynthesisShown(config.count) as shown:
        report = synthesize(config, shown)
    print(report.model_dump_json(indent=2) if as_json else _summary(report))


def _range(text: str | None, field: str) -> tuple[int, int] | None:
    if text is None:
        return None
    low, _, high = text.partition("-")
    try:
        return int(low), int(high or low)
    except ValueError as error:
        raise InputError(f"'{text}' is no range; write it as 2-4", field=field) from error


def _summary(report: SynthesisReport) -> str:
    rate = report.accepted / report.seconds if report.seconds else 0.0
    lines = [f"{report.accepted} environments written to {report.out} in {report.seconds:.1f} s ({rate:.0f}/s)"]
    if report.kept:
        lines.append(f"  {report.kept} were there before")
    lines += [f"  {name:<22}{number:>7}" for name, number in report.scenarios.items()]
    lines.append(
        f"  verified by {sum(report.calls.values())} calls in the sandbox; "
        f"{report.acceptance:.1%} of {report.candidates} candidates accepted"
    )
    lines += [f"    {line}" for line in stage_lines(report.stages)]
    if report.given_up:
        lines.append(f"  {report.given_up} items were given up: every attempt was rejected")
    lines += [f"    {example}" for example in report.examples]
    lines += [f"  {'mean ' + name.replace('_', ' '):<32}{value:>9.2f}" for name, value in report.means.items()]
    return "\n".join(lines)
