"""A model folder is checked before an engine starts on it, and its weights have one name."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ftrl.errors import InputError
from ftrl.models import check_model_folder, weights_hash
from ftrl.storage import building


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "copy"))


def cut_off(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(100_000)


def make_a_folder_of_the_configuration(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "there is no model folder here; make one with 'ftrl model init-tiny"),
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "no config.json"),
    "unreadable configuration": (make_a_folder_of_the_configuration, "cannot be read"),
    "broken configuration": (lambda folder: (folder / "config.json").write_text("{"), "not valid JSON"),
    "foreign configuration": (lambda folder: (folder / "config.json").write_text("{}"), "model_type"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "has no weights"),
    "weights cut off": (cut_off, "cut off"),
    "empty weights": (lambda folder: (folder / "model.safetensors").write_bytes(b""), "cut off"),
    "not weights": (
        lambda folder: (folder / "model.safetensors").write_bytes(b"\3" + bytes(7) + b"abc"),
        "not a safetensors file",
    ),
    "a part missing": (
        lambda folder: (folder / "model.safetensors.index.json").write_text(
            json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors"}})
        ),
        "model-00001-of-00002.safetensors is missing",
    ),
}


def test_a_whole_model_passes(tiny: Path) -> None:
    check_model_folder(tiny)


@pytest.mark.parametrize("breakage", BROKEN)
def test_a_broken_model_is_refused_with_its_folder_and_what_is_wrong(copy: Path, breakage: str) -> None:
    break_it, sentence = BROKEN[breakage]
    break_it(copy)
    with pytest.raises(InputError) as refused:
        check_model_folder(copy)
    assert sentence in str(refused.value)
    assert str(copy) in str(refused.value)
    assert refused.value.exit_code == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_an_unreadable_folder_is_refused(copy: Path) -> None:
    copy.chmod(0)
    try:
        with pytest.raises(InputError, match="cannot be read"):
            check_model_folder(copy)
    finally:
        copy.chmod(0o700)


def test_a_file_or_a_remote_folder_is_no_model_folder(tiny: Path) -> None:
    with pytest.raises(InputError, match="this is a file"):
        check_model_folder(tiny / "config.json")
    with pytest.raises(InputError, match="from this machine only"):
        check_model_folder("s3://bucket/model")


def test_a_checkpoint_of_training_is_pointed_to_the_merge(tmp_path: Path) -> None:
    (tmp_path / "actor").mkdir()
    (tmp_path / "actor" / "model_world_size_1_rank_0.pt").write_bytes(b"")
    with pytest.raises(InputError, match="ftrl model merge"):
        check_model_folder(tmp_path)


def test_the_hash_is_sha256_over_the_weights_and_follows_every_change(copy: Path) -> None:
    weights = copy / "model.safetensors"
    first = weights_hash(copy)
    assert first == hashlib.sha256(weights.read_bytes()).hexdigest()
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert weights_hash(copy) == hashlib.sha256(data).hexdigest() != first


def test_the_hash_does_not_depend_on_where_the_folder_lies(tiny: Path, copy: Path) -> None:
    assert weights_hash(copy) == weights_hash(tiny)


def test_a_folder_whose_building_fails_does_not_appear(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"), building(tmp_path / "model") as folder:
        (folder / "config.json").write_text("{}")
        raise OSError("the disk is full")
    assert list(tmp_path.iterdir()) == []


def test_a_remote_folder_is_uploaded_whole() -> None:
    from ftrl import storage

    with building("memory://bucket/model") as folder:
        (folder / "config.json").write_text("{}")
        (folder / "part").mkdir()
        (folder / "part" / "a.txt").write_text("a")
    assert storage.read_bytes("memory://bucket/model/config.json") == b"{}"
    assert storage.read_bytes("memory://bucket/model/part/a.txt") == b"a"
    with pytest.raises(InputError, match="already"), building("memory://bucket/model"):
        pass


def test_a_context_that_is_too_short_is_refused_before_an_engine_starts(tiny: Path) -> None:
    context = json.loads((tiny / "config.json").read_text())["max_position_embeddings"]
    check_model_folder(tiny, tokens=context)
    with pytest.raises(InputError, match=f"reads sequences of {context} tokens at most, {context + 1} are asked for"):
        check_model_folder(tiny, tokens=context + 1)
