"""``docs/training.md`` stays true: its commands work; ``training-settings.md`` has every setting and default."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from typer.testing import CliRunner

from ftrl.cli import app
from ftrl.training import TrainConfig
from tests.training.published import RECIPES, ROOT, flat, parsed

PAGE = (ROOT / "docs" / "training.md").read_text()
SETTINGS = (ROOT / "docs" / "training-settings.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


COMMANDS = [
    shlex.split(line, comments=True)
    for block in blocks("sh")
    for line in block.replace("\\\n", " ").splitlines()
    if line.strip()
]
TRAINING = [[word for word in words[1:] if word not in (">", "verl.yaml")] for words in COMMANDS if words[1] == "train"]


@pytest.fixture
def beside_the_configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the project's configurations and the page's own file."""
    (tmp_path / "jobs").symlink_to(ROOT / "jobs")
    (tmp_path / "mine.yaml").write_text(blocks("yaml")[0])
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("words", TRAINING, ids=" ".join)
def test_what_the_page_trains_can_be_read_and_resolved(words: list[str], beside_the_configs: None) -> None:
    done = CliRunner().invoke(app, [*words, *([] if "--dry-run" in words else ["--dry-run"])], catch_exceptions=False)
    assert done.exit_code == 0
    told = flat(parsed(done.stdout))
    assert told["actor_rollout_ref.model.path"] == (
        "models/tiny" if "model=models/tiny" in words else "models/Qwen3-8B"
    )
    if "optim.max_steps=10" in words:
        assert told["trainer.logger"] == ["console", "wandb"]


def test_the_page_has_every_recipe_and_overlay_by_its_name() -> None:
    named = set(re.findall(r"`([\w.-]+)\.yaml`", PAGE))
    assert named - {"mine"} == {*RECIPES, *(file.stem for file in (ROOT / "jobs" / "configs" / "hardware").iterdir())}


def defaults(part: type[BaseModel], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, field in part.model_fields.items():
        if isinstance(field.default, BaseModel):
            found |= defaults(type(field.default), f"{name}.")
        else:
            found[above + name] = None if field.is_required() else field.get_default(call_default_factory=True)
    return found


def test_the_page_has_every_setting_with_its_default() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| (?:`(.+?)`)? ?\|", SETTINGS, re.MULTILINE)
    written = {name: yaml.safe_load(value) if value else None for name, value in rows}
    written["optim.learning_rate"] = float(written["optim.learning_rate"])  # YAML 1.1 takes 1e-6 for a word
    expected = {
        name: list(value) if isinstance(value, tuple) else value for name, value in defaults(TrainConfig).items()
    }
    assert written == expected
