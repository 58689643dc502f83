"""``ftrl model diff`` and ``ftrl model graft``, as they are called."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ftrl.analysis import ModelDiff
from ftrl.cli import app


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["model", *map(str, arguments)], catch_exceptions=False)


def test_diff_prints_a_row_a_layer_and_a_row_a_module(base: Path, tuned: Path, tmp_path: Path) -> None:
    done = run("diff", base, tuned, "--out", tmp_path / "out")
    rows = {cells[0]: cells[1:] for line in done.stdout.splitlines() if (cells := line.split())}
    assert rows["layer"] == ["q", "k", "v", "o", "gate", "up", "down", "norms", "all", "share"]
    assert {"0", "1", "2", "3", "mlp.down", "attention.q", "embeddings", "norms.final", "all"} <= set(rows)
    diff = ModelDiff.model_validate_json((tmp_path / "out" / "diff.json").read_text())
    mlp = next(part for part in diff.modules if part.module == "mlp.down")
    assert rows["mlp.down"][1] == f"{mlp.figures.relative:.2e}"
    assert rows["0"][-1] == f"{diff.layers[0].figures.share:.1%}"
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"diff.json", "diff.csv", "diff.html"}


def test_diff_prints_json_that_holds_everything(base: Path, tuned: Path, tmp_path: Path) -> None:
    done = run("diff", base, tuned, "--out", tmp_path / "out", "--json")
    assert json.loads(done.stdout) == json.loads((tmp_path / "out" / "diff.json").read_text())


def test_graft_makes_a_model_and_says_what_is_in_it(base: Path, tuned: Path, tmp_path: Path) -> None:
    done = run("graft", base, tuned, "--layers", "0-1", "--modules", "mlp", "--out", tmp_path / "out")
    assert "tensors from TUNED: 6, unlike BASE's: 6;" in done.stdout
    done = run("graft", base, tuned, "--modules", "norms", "--out", tmp_path / "other", "--json")
    made = json.loads(done.stdout)
    assert made["path"] == str(tmp_path / "other")
    assert made["modules"] == "norms"


@pytest.mark.parametrize("command", ["diff", "graft"])
def test_bad_input_ends_in_one_sentence_and_exit_code_2(base: Path, tmp_path: Path, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ftrl.cli", "model", command, base, tmp_path / "none", "--out", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == f"ftrl: {tmp_path / 'none'}: there is no model folder here\n"
    assert not (tmp_path / "out").exists()


def test_neither_command_needs_pytorch(base: Path, tuned: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = sys.modules['safetensors'] = None\n"
        "from ftrl.analysis import diff_models, graft_model\n"
        f"print(diff_models({str(base)!r}, {str(tuned)!r}).whole.changed)\n"
        f"graft_model({str(base)!r}, {str(tuned)!r}, {str(tmp_path / 'out')!r}, modules='mlp')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0.9
