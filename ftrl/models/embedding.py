"""Texts as vectors, by a sentence-embedding model in a folder: what means the same lies in the same direction.

A folder of sentence-transformers says in ``modules.json`` what it makes of a text: a transformer, one vector of its
tokens' (their mean, or the first), sometimes a last layer. The first two are done here, and so is a folder of a plain
transformer, by the mean; a folder that asks for more is refused, since its vectors would be others without.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ftrl.errors import InputError
from ftrl.models.checks import check_model_folder
from ftrl.models.requirements import require

Vector = npt.NDArray[np.float32]

_TOGETHER = 32
"""Texts that go through the model at once."""

_LONGEST = 512
"""Tokens of a text that are read, where the folder does not say."""

_DONE_HERE = {"Transformer", "Pooling", "Normalize"}


def check_embedding_folder(path: str) -> None:
    """Make sure that ``path`` is a model that ``Embedder`` can load, without loading it.

    Raises:
        InputError: it is not; the message says what is missing.
        FtrlError: a library is missing.
    """
    require("torch", "transformers")
    check_model_folder(path)
    _takes_mean(Path(path))


class Embedder:
    """A model that is loaded, on the CPU.

    Args:
        path: its folder, on this machine.

    Raises:
        InputError: this is no such folder.
        FtrlError: a library is missing.
    """

    def __init__(self, path: str) -> None:
        check_embedding_folder(path)
        import torch
        from transformers import AutoModel, AutoTokenizer

        self._torch = torch
        self._mean = _takes_mean(Path(path))
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
            self._model = AutoModel.from_pretrained(path, local_files_only=True, dtype=torch.float32).eval()
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"transformers can't load this model: {str(error).splitlines()[0]}", file=path) from error
        self._tokenizer.padding_side = "right"  # the first token is the first, however long the others are
        self._tokenizer.pad_token = self._tokenizer.pad_token or self._tokenizer.eos_token
        self._longest = _longest(Path(path), self._model.config)

    def __call__(self, texts: Sequence[str]) -> Vector:
        """A vector of length 1 for each text; shape ``(texts, size of the model)``."""
        # Texts of a length together: less padding.
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        vectors: list[Vector] = [np.empty(0, dtype=np.float32)] * len(texts)
        for start in range(0, len(texts), _TOGETHER):
            few = order[start : start + _TOGETHER]
            for at, vector in zip(few, self._of_few([texts[at] for at in few]), strict=True):
                vectors[at] = vector
        return np.stack(vectors) if vectors else np.empty((0, self._model.config.hidden_size), dtype=np.float32)

    def _of_few(self, texts: list[str]) -> Vector:
        read = self._tokenizer(texts, padding=True, truncation=True, max_length=self._longest, return_tensors="pt")
        with self._torch.inference_mode():
            states = self._model(**read).last_hidden_state
            if self._mean:
                mask = read["attention_mask"].unsqueeze(-1)
                states = (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
            else:
                states = states[:, 0]
            vectors: Vector = self._torch.nn.functional.normalize(states, dim=-1).numpy()
        return vectors


def _takes_mean(folder: Path) -> bool:
    """Whether a text's vector is the mean of its tokens', and not the first one's."""
    for module in _read(folder / "modules.json", default=[]):
        kind = str(module["type"]).rpartition(".")[2]
        if kind not in _DONE_HERE:
            raise InputError(
                f"this model ends with {kind}, which is not done here; take one of "
                f"{', '.join(sorted(_DONE_HERE))} and nothing else, such as all-MiniLM-L6-v2",
                file=str(folder / "modules.json"),
            )
    file = folder / "1_Pooling" / "config.json"
    pooling = _read(file, default={"pooling_mode_mean_tokens": True})
    # Newer folders name the way, older ones have a switch for each.
    ways = {name.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token") for name in _on(pooling)}
    ways |= {str(pooling["pooling_mode"])} if "pooling_mode" in pooling else set()
    if ways not in ({"mean"}, {"cls"}):
        raise InputError(
            f"this model pools by {', '.join(sorted(ways)) or 'nothing'}; take one that pools by mean or cls",
            file=str(file),
        )
    return ways == {"mean"}


def _on(pooling: dict[str, Any]) -> list[str]:
    return [name for name, value in pooling.items() if name.startswith("pooling_mode_") and value is True]


def _longest(folder: Path, config: Any) -> int:
    said = _read(folder / "sentence_bert_config.json", default={}).get("max_seq_length")
    limits = (said or _LONGEST, getattr(config, "max_position_embeddings", None) or _LONGEST)
    return int(min(limits))


def _read(file: Path, default: Any) -> Any:
    """What a JSON file of the folder says; the default where there is none."""
    if not file.is_file():
        return default
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"this is no JSON: {error}", file=str(file)) from error
