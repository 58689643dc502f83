"""Options of ``ftrl synth --generator llm``, and how they become settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftrl.commands.playing import price_of
from ftrl.errors import InputError

if TYPE_CHECKING:
    from ftrl.llm import ModelSettings, Price
    from ftrl.synthesis import SynthesisConfig, SynthesisReport
    from ftrl.synthesis.language_model.settings import LanguageModelRun


def language_model_run(
    *,
    model: str | None,
    stage_models: list[str],
    model_url: str | None,
    temperature: float | None,
    answer_tokens: int,
    connections: int,
    model_timeout: int,
    plain: bool,
    prices: list[str],
    questions: str | None,
    documents: list[str],
    topics: str | None,
    scaling: str | None,
    budget_tokens: int | None,
    budget_usd: float | None,
    replay: str | None,
    exchanges: str | None,
    judge: bool,
) -> LanguageModelRun:
    """What the llm generator is given, from its options.

    Raises:
        InputError: an option is missing or wrong.
    """
    from ftrl.llm import ModelSettings, read_recording
    from ftrl.synthesis.language_model.settings import LanguageModelRun
    from ftrl.synthesis.scale import Scaling

    values: dict[str, object] = {
        "questions": questions,
        "documents": tuple(documents),
        "topics": topics,
        "budget_tokens": budget_tokens,
        "budget_usd": budget_usd,
        "replay": replay,
        "exchanges": exchanges,
    }
    if replay is not None:
        recorded = read_recording(replay).header["run"]
        if model is not None or stage_models or scaling is not None:
            raise InputError("a recording says which models it is of; leave models and --scaling out", field="replay")
        return LanguageModelRun.model_validate({**values, **recorded})
    if model is None:
        raise InputError("the llm generator needs --model PROVIDER/NAME (or --replay FILE)", field="model")
    price = _prices(prices)

    def settings(name: str) -> ModelSettings:
        return ModelSettings(
            model=name,
            base_url=model_url,
            temperature=temperature,
            max_tokens=answer_tokens,
            connections=connections,
            timeout=model_timeout,
            structured=not plain,
            price=price.get(name, price.get("")),
        )

    models = {}
    for text in stage_models:
        role, found, name = text.partition("=")
        if not found:
            raise InputError(f"'{text}' does not say which model; write STAGE=PROVIDER/NAME", field="stage-model")
        models[role] = settings(name)
    strengths = {} if scaling is None else _strengths(scaling)
    return LanguageModelRun.model_validate(
        {
            **values,
            "model": settings(model),
            "models": models,
            "scaling": Scaling.model_validate(strengths),
            "judge": judge,
        }
    )


def _prices(texts: list[str]) -> dict[str, Price]:
    """Prices by model; under the empty name, of all others."""
    from ftrl.llm import Price

    prices = {}
    for text in texts:
        name, _, numbers = text.rpartition("=")
        read, written = price_of(numbers)
        prices[name] = Price.model_validate({"input": read, "output": written})
    return prices


def _strengths(text: str) -> dict[str, int]:
    """``expand=2,retype=1`` as a dictionary."""
    strengths = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        if not number.strip().isdecimal():
            raise InputError(f"'{part}' is no strength; write it as expand=2", field="scaling")
        strengths[name.strip()] = int(number)
    return strengths


def items_given(run: LanguageModelRun | None) -> int | None:
    """How many items there are, where the input says so."""
    if run is None or run.questions is None:
        return None
    from ftrl.synthesis.language_model.given import read_given

    return len(read_given(run))


def write_recording(config: SynthesisConfig, path: str) -> None:
    """Pack a store's record into one file, for ``--replay``."""
    from ftrl.llm import ExchangeFolder, record_to
    from ftrl.synthesis.language_model.generator import exchange_folder, run_of

    run = run_of(config)
    deciding = {"model", "models", "scaling", "judge"}
    header = {"run": run.model_dump(mode="json", include=deciding), "seed": config.seed}
    record_to(path, iter(ExchangeFolder(exchange_folder(config))), header)


def spent_lines(report: SynthesisReport) -> list[str]:
    """What the store's environments have cost, stage by stage."""
    if not report.ledger:
        return []
    lines = [f"  {'asked of models':<22}{'calls':>7}{'read':>12}{'written':>10}{'dollars':>10}{'seconds':>9}"]
    for name, sums in report.ledger.items():
        money = "unknown" if sums.usd is None else f"{sums.usd:.4f}"
        lines.append(f"    {name:<20}{sums.calls:>7}{sums.input:>12,}{sums.output:>10,}{money:>10}{sums.seconds:>9.1f}")
    whole = report.ledger["all"]
    if accepted := report.kept + report.accepted:
        money = "an unknown amount of money" if whole.usd is None else f"${whole.usd / accepted:.4f}"
        lines.append(f"    each accepted environment: {whole.tokens / accepted:,.0f} tokens, {money}")
    if whole.uncounted:
        lines.append(f"    {whole.uncounted} answers came without a count of tokens")
    return lines
