"""Options that every command has which lets a model play, and the settings that they make."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any

import typer

from ftrl.errors import InputError

TasksArgument = Annotated[str, typer.Argument(help="A store, or a JSONL or Parquet file in the published format.")]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model", help="Folder of a model, or PROVIDER/NAME (openai/…, anthropic/…, openai-api/SERVICE/NAME)."
    ),
]
MaxTurnsOption = Annotated[int, typer.Option(help="Assistant turns of an episode at most.")]
ResponseOption = Annotated[int, typer.Option("--max-response-tokens", help="Tokens of one assistant turn at most.")]
ThinkingOption = Annotated[bool, typer.Option("--thinking", help="Let the model think, where its template knows how.")]
ParserOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What reads the calls of a model of your own: qwen, llama31, or a parser of vLLM's by name (hermes, "
        "llama3_json, qwen3_coder, mistral, pythonic, …); the profile's, for the Qwen family, if left out.",
    ),
]
LimitOption = Annotated[int | None, typer.Option(help="Only the first so many tasks.")]
EnginesOption = Annotated[int, typer.Option(help="vLLM engines side by side, each with its own copy of the model.")]
LeastEnginesOption = Annotated[
    int | None,
    typer.Option(
        help="Begin when the cluster has room for so many engines; the others join when it has room for them."
    ),
]
TensorOption = Annotated[int, typer.Option("--tensor-parallel", help="GPUs that share one copy of the model.")]
ContextOption = Annotated[
    int | None, typer.Option("--max-model-len", help="Context in tokens; the model's own if left out.")
]
SeedOption = Annotated[int | None, typer.Option(help="Seeds of the sampling, one an episode, are made from this.")]
InFlightOption = Annotated[
    int | None,
    typer.Option("--in-flight", help="Episodes that an engine plays at once; 256 on a GPU, else 32."),
]
HangOption = Annotated[
    float,
    typer.Option(
        "--hang-seconds", help="An engine that gives no sign of life for so long is taken for hung, and replaced."
    ),
]
BudgetOption = Annotated[
    float | None,
    typer.Option("--budget-usd", help="Begin no further episode once the provider has taken so many dollars."),
]
PriceOption = Annotated[
    str | None,
    typer.Option(metavar="IN,OUT", help="Dollars for a million tokens read and generated, such as 0.15,0.60."),
]
AddressOption = Annotated[
    str | None, typer.Option("--base-url", help="Where the provider is: the address of a server of your own, say.")
]
ReasoningOption = Annotated[
    str | None,
    typer.Option("--reasoning-effort", help="low, medium, high …, for a provider's models that think."),
]
OutOption = Annotated[str, typer.Option("--out", help="Folder for the results and the episodes, local or s3://.")]
TrialsOption = Annotated[int, typer.Option(help="Episodes of each task; scores are means over them.")]
ResumeOption = Annotated[
    bool,
    typer.Option("--resume/--no-resume", help="Go on with what the folder holds, or refuse one that holds episodes."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


EVALUATION: Mapping[str, tuple[Any, Any]] = {
    "model": (ModelOption, inspect.Parameter.empty),
    "out": (OutOption, inspect.Parameter.empty),
    "trials": (TrialsOption, 1),
    "temperature": (Annotated[float, typer.Option(help="0 takes the likeliest token.")], 0.0),
    "max_response_tokens": (ResponseOption, 1024),
    "thinking": (ThinkingOption, False),
    "parser": (ParserOption, None),
    "limit": (
        Annotated[
            int | None, typer.Option(help="Only so many tasks: of ftrl-test the first, of others drawn from all.")
        ],
        None,
    ),
    "seed": (SeedOption, None),
    "engines": (EnginesOption, 1),
    "tensor_parallel": (TensorOption, 1),
    "max_model_len": (ContextOption, None),
    "in_flight": (InFlightOption, None),
    "hang_seconds": (HangOption, 300.0),
    "base_url": (AddressOption, None),
    "price": (PriceOption, None),
    "budget_usd": (BudgetOption, None),
    "reasoning_effort": (ReasoningOption, None),
    "resume": (ResumeOption, True),
}
"""The options of every command that evaluates a model: name → (annotation, default)."""

_OWN = ("model", "out", "trials", "limit", "budget_usd", "resume")
"""Those that configurations of evaluations take as they are; ``playing`` makes settings of the others."""


def evaluates(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all options of ``EVALUATION``; it gets their values as ``options``, for ``evaluation``."""
    own = inspect.signature(command, eval_str=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter(name, kind, annotation=annotation, default=default)
        for name, (annotation, default) in EVALUATION.items()
    ]
    parameters = [p.replace(kind=kind) for name, p in own.parameters.items() if name != "options"]

    @wraps(command)
    def with_options(**values: Any) -> None:
        options = {name: values.pop(name) for name in EVALUATION}
        command(**values, options=options)

    with_options.__signature__ = own.replace(parameters=[*parameters, *shared])  # type: ignore[attr-defined]
    return with_options


def evaluation(options: Mapping[str, Any], max_turns: int) -> dict[str, Any]:
    """What configurations of evaluations have in common, from a command's ``options``."""
    rest = {name: value for name, value in options.items() if name not in _OWN}
    return {**{name: options[name] for name in _OWN}, **playing(max_turns=max_turns, **rest)}


def playing(
    *,
    max_turns: int,
    temperature: float,
    max_response_tokens: int,
    thinking: bool,
    engines: int,
    tensor_parallel: int,
    max_model_len: int | None,
    in_flight: int | None,
    hang_seconds: float,
    base_url: str | None,
    price: str | None,
    least_engines: int | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Settings of episodes, engines and providers, as the configurations of rollouts and evaluations take them.

    ``more`` are further fields of ``EpisodeSettings``.

    Raises:
        InputError: a value is out of range.
    """
    from ftrl.rollouts import EngineSettings, EpisodeSettings, ProviderSettings
    from ftrl.rollouts.settings import settings_from

    price_input, price_output = price_of(price)
    return {
        "episode": settings_from(
            EpisodeSettings,
            max_turns=max_turns,
            temperature=temperature,
            max_response_tokens=max_response_tokens,
            thinking=thinking,
            **more,
        ),
        "engine": settings_from(
            EngineSettings,
            engines=engines,
            tensor_parallel=tensor_parallel,
            max_model_len=max_model_len,
            episodes_in_flight=in_flight,
            least_engines=least_engines,
            hang_seconds=hang_seconds,
        ),
        "provider": settings_from(
            ProviderSettings, base_url=base_url, price_input=price_input, price_output=price_output
        ),
    }


def price_of(text: str | None) -> tuple[float | None, float | None]:
    """What ``--price`` says: dollars for a million tokens read, and generated.

    Raises:
        InputError: it is not two numbers.
    """
    if text is None:
        return None, None
    try:
        read, generated = map(float, text.split(","))
    except ValueError as error:
        raise InputError(f"--price takes two numbers, such as 0.15,0.60, not '{text}'", field="price") from error
    return read, generated
