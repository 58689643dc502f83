"""Runs of the llm generator against the scripted model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrl.llm import ModelSettings
from ftrl.synthesis import SynthesisConfig
from ftrl.synthesis.language_model.settings import LanguageModelRun
from tests.synthesis.language_model.scripted_model import ScriptedServer, question_line, scripted_server


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def config(server: ScriptedServer, tmp_path: Path) -> Callable[..., SynthesisConfig]:
    """Makes the configuration of a run over these questions of the small world."""

    def make(*indices: int, out: str = "store", model: dict[str, Any] | None = None, **run: Any) -> SynthesisConfig:
        questions = tmp_path / f"questions-{len(list(tmp_path.iterdir()))}.jsonl"
        questions.write_text("".join(json.dumps(question_line(index)) + "\n" for index in indices))
        values = {"model": "openai-api/local/scripted", "base_url": server.url, "retries": 0, **(model or {})}
        given = {} if {"documents", "topics"} & set(run) else {"questions": str(questions)}
        language_model = LanguageModelRun.model_validate(
            {"model": ModelSettings.model_validate(values), **given, **run}
        )
        return SynthesisConfig(
            out=str(tmp_path / out),
            generator="llm",
            language_model=language_model,
            count=len(indices) or 4,
            workers=1,
            resume=True,
        )

    return make
