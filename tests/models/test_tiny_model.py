"""The tiny model: exact sizes, the same bytes each time, and a tokenizer that loses nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftrl.errors import InputError
from ftrl.models import init_tiny, weights_hash
from ftrl.models.tiny import CONTENT_TOKENS, CONTROL_TOKENS, SMALLEST_VOCAB, train_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tiny: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny)


def test_embedding_and_tokenizer_have_exactly_the_size_asked_for(tiny: Path, tokenizer: Any) -> None:
    config = json.loads((tiny / "config.json").read_text())
    assert config["vocab_size"] == len(tokenizer) == 1024
    assert config["max_position_embeddings"] == tokenizer.model_max_length == 512
    assert config["architectures"] == ["Qwen3ForCausalLM"]
    assert config["dtype"] == "float32"


def test_a_turn_ends_with_im_end_and_padding_is_another_token(tiny: Path, tokenizer: Any) -> None:
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
    for name in ("config.json", "generation_config.json"):
        settings = json.loads((tiny / name).read_text())
        assert settings["eos_token_id"] == tokenizer.eos_token_id, name
        assert settings["pad_token_id"] == tokenizer.pad_token_id, name


@pytest.mark.parametrize("token", CONTROL_TOKENS + CONTENT_TOKENS)
def test_each_token_of_the_chat_is_one_token(tokenizer: Any, token: str) -> None:
    assert len(tokenizer.encode(f"{token}")) == 1
    assert tokenizer.decode(tokenizer.encode(f"a{token}b")) == f"a{token}b"


def test_decoding_without_special_tokens_keeps_calls_and_thoughts(tokenizer: Any) -> None:
    said = '<think>\nhm\n</think>\n<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>'
    ids = tokenizer.encode(f"<|im_start|>{said}<|im_end|><|endoftext|>")
    assert tokenizer.decode(ids, skip_special_tokens=True) == said


@given(st.text())
@settings(max_examples=200)
def test_every_text_comes_back_from_its_tokens_as_it_was(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tiny: Path, tmp_path: Path) -> None:
    for name, seed in (("again", 0), ("other", 1)):
        init_tiny(tmp_path / name, context=512, seed=seed)
    assert weights_hash(tmp_path / "again") == weights_hash(tiny)
    assert weights_hash(tmp_path / "other") != weights_hash(tiny)
    for name in ("again", "other"):
        assert (tmp_path / name / "tokenizer.json").read_bytes() == (tiny / "tokenizer.json").read_bytes()


def test_making_a_model_leaves_the_callers_random_numbers_alone(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    init_tiny(tmp_path / "model", vocab=300)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("size", "value"), [("hidden", 96), ("hidden", 0), ("layers", 0), ("vocab", 264), ("context", 0)]
)
def test_a_size_that_cannot_be_is_refused_by_its_name(tmp_path: Path, size: str, value: int) -> None:
    with pytest.raises(InputError) as refused:
        init_tiny(tmp_path / "model", **{size: value})
    assert refused.value.field == size
    assert list(tmp_path.iterdir()) == []


def test_the_smallest_vocabulary_holds_the_bytes_and_the_chat(tmp_path: Path) -> None:
    smallest = train_tokenizer(SMALLEST_VOCAB, context=64)
    assert len(smallest) == SMALLEST_VOCAB
    assert smallest.decode(smallest.encode("é<tool_call>")) == "é<tool_call>"


def test_more_tokens_than_the_corpus_yields_are_refused() -> None:
    with pytest.raises(InputError, match="ask for fewer"):
        train_tokenizer(100_000, context=64)


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="already"):
        init_tiny(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
