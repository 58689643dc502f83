"""Options that every command has which lets a model play, and the settings that they make."""

from __future__ import annotations

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
LimitOption = Annotated[int | None, typer.Option(help="Only the first so many tasks.")]
EnginesOption = Annotated[int, typer.Option(help="vLLM engines side by side, each with its own copy of the model.")]
TensorOption = Annotated[int, typer.Option("--tensor-parallel", help="GPUs that share one copy of the model.")]
ContextOption = Annotated[
    int | None, typer.Option("--max-model-len", help="Context in tokens; the model's own if left out.")
]
InFlightOption = Annotated[
    int | None,
    typer.Option("--in-flight", help="Episodes that an engine plays at once; 256 on a GPU, else 32."),
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
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


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
    base_url: str | None,
    price: str | None,
    **more: Any,
) -> dict[str, Any]:
    """Settings of episodes, engines and providers, as the configurations of rollouts and evaluations take them.

    ``more`` are further fields of ``EpisodeSettings``.

    Raises:
        InputError: a value is out of range.
    """
    from ftrl.rollouts import EngineSettings, EpisodeSettings, ProviderSettings
    from ftrl.rollouts.settings import settings_from

    price_input, price_output = _price(price)
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
        ),
        "provider": settings_from(
            ProviderSettings, base_url=base_url, price_input=price_input, price_output=price_output
        ),
    }


def _price(text: str | None) -> tuple[float | None, float | None]:
    if text is None:
        return None, None
    try:
        read, generated = map(float, text.split(","))
    except ValueError as error:
        raise InputError(f"--price takes two numbers, such as 0.15,0.60, not '{text}'", field="price") from error
    return read, generated
