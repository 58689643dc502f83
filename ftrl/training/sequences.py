"""Sequences on disk as verl's supervised trainer wants them."""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq
import torch
from torch.utils.data import Dataset


class SequenceDataset(Dataset):  # type: ignore[misc]
    """Sequences that are tokenised already; verl makes it, as its ``data.custom_cls``.

    Args:
        parquet_files: a file with ``SEQUENCE_COLUMNS``.
    """

    def __init__(self, parquet_files: str, **_: Any) -> None:
        self._table = pq.read_table(parquet_files)

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """One sequence: ``input_ids``, ``position_ids``, ``loss_mask``, each of shape (tokens,)."""
        input_ids = torch.tensor(self._table["input_ids"][index].as_py(), dtype=torch.int64)
        return {
            "input_ids": input_ids,
            "position_ids": torch.arange(len(input_ids)),
            "loss_mask": torch.tensor(self._table["loss_mask"][index].as_py(), dtype=torch.int64),
        }
