"""Texts as vectors: what a folder says of its model is done, and a folder that asks for more is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ftrl.errors import InputError
from ftrl.models import Embedder, init_tiny

TEXTS = ["In which town was Ana Ruiz born?", "Who?", "What is the combined price of all products from Tarnholm?"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    init_tiny(folder, context=32)
    return folder


@pytest.fixture
def folder(plain, tmp_path) -> Path:
    return shutil.copytree(plain, tmp_path / "model")


def say(folder: Path, *modules: str, **pooling: object) -> None:
    """Make it a folder of sentence-transformers."""
    types = [{"idx": at, "type": f"sentence_transformers.models.{name}"} for at, name in enumerate(modules)]
    (folder / "modules.json").write_text(json.dumps(types))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))


def test_a_text_is_a_vector_of_length_1_whatever_it_is_read_together_with(plain):
    embedder = Embedder(str(plain))
    together = embedder(TEXTS)
    assert together.shape == (3, 64)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for text, vector in zip(TEXTS, together, strict=True):
        assert np.allclose(embedder([text])[0], vector, atol=1e-5)
    assert np.dot(together[0], together[1]) < 0.999


def test_no_texts_are_no_vectors(plain):
    assert Embedder(str(plain))([]).shape == (0, 64)


def test_of_a_long_text_the_model_reads_what_it_can(plain):
    first, second = Embedder(str(plain))(["town " * 40, "town " * 4000])
    assert np.allclose(first, second, atol=1e-5)


def test_the_folder_says_whether_a_text_is_the_mean_of_its_tokens_or_the_first(folder, plain):
    say(folder, "Transformer", "Pooling", "Normalize", pooling_mode_cls_token=True, pooling_mode_mean_tokens=False)
    firsts = Embedder(str(folder))(["Who is it?", "Who would know?"])
    assert np.allclose(firsts[0], firsts[1], atol=1e-5), "both begin with the same token, that sees no other"
    means = Embedder(str(plain))(["Who is it?", "Who would know?"])
    assert not np.allclose(means[0], means[1], atol=1e-2)


def test_newer_folders_name_the_way(folder, plain):
    say(folder, "Transformer", "Pooling", pooling_mode="mean")
    assert np.allclose(Embedder(str(folder))(TEXTS), Embedder(str(plain))(TEXTS), atol=1e-5)


def test_a_folder_that_asks_for_another_way_or_another_layer_is_refused(folder):
    say(folder, "Transformer", "Pooling", pooling_mode_max_tokens=True)
    with pytest.raises(InputError, match="pools by max"):
        Embedder(str(folder))
    shutil.rmtree(folder / "1_Pooling")
    say(folder, "Transformer", "Pooling", "Dense", pooling_mode_mean_tokens=True)
    with pytest.raises(InputError, match="ends with Dense"):
        Embedder(str(folder))


def test_what_is_no_model_is_refused_in_a_sentence(tmp_path, folder):
    with pytest.raises(InputError, match="no model folder"):
        Embedder(str(tmp_path / "nowhere"))
    (folder / "modules.json").write_text("{")
    with pytest.raises(InputError, match="no JSON"):
        Embedder(str(folder))
