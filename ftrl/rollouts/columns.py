"""How trajectories lie in Parquet.

Scalars are columns of their own, so that a reader of one of them loads nothing else. Messages and calls are JSON
text: their insides may be any JSON, and JSON text also holds what Arrow's strings cannot. Environments are named by
id, never copied in. Log-probabilities are 32-bit, as engines compute them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from ftrl.rollouts.trajectory import PolicyIdentity, Trajectory

TRAJECTORY_COLUMNS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("run", pa.string(), nullable=False),
        pa.field("environment_id", pa.string(), nullable=False),
        pa.field("policy", pa.string(), nullable=False),
        pa.field("weights", pa.string()),
        pa.field("iteration", pa.int32(), nullable=False),
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("seed", pa.int64()),
        pa.field("parser", pa.string()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("messages", pa.string(), nullable=False),
        pa.field("calls", pa.string(), nullable=False),
        pa.field(
            "turns",
            pa.list_(
                pa.struct(
                    [
                        ("prompt_tokens", pa.int32()),
                        ("kept_tokens", pa.int32()),
                        ("token_ids", pa.list_(pa.int32())),
                        ("logprobs", pa.list_(pa.float32())),
                        ("finish_reason", pa.string()),
                    ]
                )
            ),
            nullable=False,
        ),
        pa.field(
            "metrics",
            pa.list_(
                pa.struct(
                    [
                        ("profile", pa.string()),
                        ("precision", pa.float64()),
                        ("recall", pa.float64()),
                        ("f1", pa.float64()),
                    ]
                )
            ),
            nullable=False,
        ),
        pa.field(
            "usage",
            pa.struct(
                [
                    ("input", pa.int64()),
                    ("output", pa.int64()),
                    ("cache_read", pa.int64()),
                    ("cache_write", pa.int64()),
                    ("usd", pa.float64()),
                ]
            ),
        ),
    ]
)
"""One row a trajectory. ``messages`` and ``calls`` hold JSON text (lists of objects)."""

FEW_VALUES = ("run", "environment_id", "policy", "weights", "parser", "status")
"""Columns in which values repeat, worth a dictionary."""


def trajectory_to_row(trajectory: Trajectory) -> dict[str, Any]:
    """A trajectory as a row of ``TRAJECTORY_COLUMNS``."""
    row = trajectory.model_dump(mode="json", exclude={"policy", "error"})
    row["policy"] = trajectory.policy.name
    row["weights"] = trajectory.policy.weights
    for column in ("messages", "calls"):
        row[column] = json.dumps(row[column], ensure_ascii=False)
    return row


def trajectory_from_row(row: Mapping[str, Any]) -> Trajectory:
    """The trajectory in a row of ``TRAJECTORY_COLUMNS``, as pyarrow or Ray Data deliver it."""
    values = {name: row.get(name) for name in TRAJECTORY_COLUMNS.names if name not in ("policy", "weights")}
    return Trajectory.model_validate(
        {
            **values,
            "policy": PolicyIdentity(name=row["policy"], weights=row["weights"]),
            "messages": json.loads(row["messages"]),
            "calls": json.loads(row["calls"]),
        }
    )
