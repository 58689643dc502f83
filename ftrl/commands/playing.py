"""Options that every command has which lets a model play, and the settings that they make."""

from __future__ import annotations

from typing import Annotated, Any

import typer

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
    **more: Any,
) -> dict[str, Any]:
    """Settings of the episodes and of the engines, as the configurations of rollouts and evaluations take them.

    ``more`` are further fields of ``EpisodeSettings``.

    Raises:
        InputError: a value is out of range.
    """
    from ftrl.rollouts import EngineSettings, EpisodeSettings
    from ftrl.rollouts.settings import settings_from

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
    }
