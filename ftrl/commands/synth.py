"""``ftrl synth``: make verified environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ftrl.commands.synth_like import solve_rates
from ftrl.commands.synth_model import items_given, language_model_run, spent_lines, write_recording
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
        str, typer.Option(help="tables: facts of your tables or of a fictional world, no model. llm: --model.")
    ] = "tables",
    tables: Annotated[
        list[str] | None,
        typer.Option(help="CSV, TSV, Parquet, SQLite or DuckDB file, or a folder; may be given more than once."),
    ] = None,
    schema: Annotated[
        str | None, typer.Option(help="A YAML file: keys, names and references that the tables do not tell.")
    ] = None,
    questions: Annotated[
        str | None, typer.Option(help="llm: a JSONL file of {question, answer} lines; scenario may be given.")
    ] = None,
    documents: Annotated[
        list[str] | None, typer.Option(help="llm: texts to make questions from; files or folders of .txt and .md.")
    ] = None,
    topics: Annotated[str | None, typer.Option(help="llm: a file of topics, one a line.")] = None,
    model: Annotated[
        str | None,
        typer.Option(help="llm: PROVIDER/NAME, as openai/…, anthropic/…, vllm/…, openai-api/SERVICE/… for any server."),
    ] = None,
    stage_model: Annotated[
        list[str] | None,
        typer.Option(
            help="llm: STAGE=PROVIDER/NAME: pose, decompose, document, integrate, scale, distract, judge, deploy."
        ),
    ] = None,
    model_url: Annotated[str | None, typer.Option(help="llm: the server, as http://localhost:8000/v1.")] = None,
    model_timeout: Annotated[int, typer.Option(help="llm: seconds that one answer may take.")] = 600,
    temperature: Annotated[float | None, typer.Option(help="llm: the provider's own if left out.")] = None,
    answer_tokens: Annotated[
        int, typer.Option(help="llm: the longest answer in tokens; less than the context of a small model.")
    ] = 16_384,
    connections: Annotated[int, typer.Option(help="llm: questions to each stage's model at the same time.")] = 8,
    plain: Annotated[bool, typer.Option("--plain", help="llm: send no schemas, for servers that refuse them.")] = False,
    scaling: Annotated[
        str | None,
        typer.Option(help="llm: strengths; generalise=1,expand=2,retype=1,distractors=2,near_misses=1 unless said."),
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(help="llm: dollars per million tokens, IN,OUT or MODEL=IN,OUT, where Inspect knows none."),
    ] = None,
    budget_tokens: Annotated[int | None, typer.Option(help="llm: the most tokens that the store may cost.")] = None,
    budget_usd: Annotated[float | None, typer.Option(help="llm: the most dollars that the store may cost.")] = None,
    judge: Annotated[bool, typer.Option("--judge", help="llm: a model looks over each set of tools, too.")] = False,
    exchanges: Annotated[
        str | None, typer.Option(help="llm: where to keep what is asked and answered; in the store if left out.")
    ] = None,
    record: Annotated[str | None, typer.Option(help="llm: pack what was asked and answered in here.")] = None,
    replay: Annotated[str | None, typer.Option(help="llm: play such a file back; no model is asked.")] = None,
    count: Annotated[
        int | None, typer.Option(help="How many items to make; 100 unless said, or all of --questions.")
    ] = None,
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
        int | None, typer.Option(help="Most parameters that a tool has beyond its own, 0 to 12.")
    ] = None,
    required: Annotated[float | None, typer.Option(help="Share of these that have to be given, 0 to 1.")] = None,
    types: Annotated[float | None, typer.Option(help="Share of tools that take lists and objects, 0 to 1.")] = None,
    like: Annotated[
        str | None,
        typer.Option(help="Solve rates, JSONL or a trajectory store: more is made of what is solved sometimes."),
    ] = None,
    like_tasks: Annotated[str | None, typer.Option(help="The store that these rates' tasks are in.")] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="Evaluation TASKS that nothing may overlap with; may be given more than once."),
    ] = None,
    embeddings: Annotated[
        str | None,
        typer.Option(
            help="The folder of a sentence-embedding model, to know near-duplicates and overlaps by meaning, too."
        ),
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

    Example: ftrl synth --out tasks --generator llm --questions FILE --model openai/NAME --price 2,8 --budget-usd 20

    Example: ftrl synth --out s3://bucket/tasks --count 100000 --workers 64 --exclude benchmark.jsonl --resume

    A run that is broken off keeps what it has committed, and goes on there with --resume. Rejections, with their
    reasons, are in OUT/construction/rejections.
    """
    from pydantic import ValidationError

    from ftrl.synthesis import SynthesisConfig, synthesize

    if model is not None and generator == "tables":
        raise InputError("the tables generator needs no model; leave --model out", field="model")
    language_model = None
    try:
        if generator == "llm":
            language_model = language_model_run(
                model=model,
                stage_models=stage_model or [],
                model_url=model_url,
                temperature=temperature,
                answer_tokens=answer_tokens,
                connections=connections,
                model_timeout=model_timeout,
                plain=plain,
                prices=price or [],
                questions=questions,
                documents=documents or [],
                topics=topics,
                scaling=scaling,
                budget_tokens=budget_tokens,
                budget_usd=budget_usd,
                replay=replay,
                exchanges=exchanges,
                judge=judge,
            )
        config = SynthesisConfig.model_validate(
            {
                "out": out,
                "generator": generator,
                "tables": tuple(tables or ()),
                "table_schema": schema,
                "count": count if count is not None else items_given(language_model) or 100,
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
                "like": None if like is None else solve_rates(like, out, resume=resume),
                "like_tasks": like_tasks,
                "language_model": language_model,
                "exclude": tuple(exclude or ()),
                "embeddings": embeddings,
                "workers": workers,
                "resume": resume,
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else None
        raise InputError(str(first["msg"]).removeprefix("Value error, "), field=field) from error
    with SynthesisShown(config.count) as shown:
        report = synthesize(config, shown)
    if record is not None:
        write_recording(config, record)
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
    lines += spent_lines(report)
    lines += [f"  {'mean ' + name.replace('_', ' '):<32}{value:>9.2f}" for name, value in report.means.items()]
    return "\n".join(lines)
