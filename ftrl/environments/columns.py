"""How environments and tool sources lie in Parquet.

What every environment has in the same shape is typed (strings, lists of structs), so that other programs can
filter and join on it. What may be any JSON (schemas, arguments, provenance) is JSON text: Arrow would force
one shape on all rows, and would lose key order and the difference between ``1`` and ``1.0``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from ftrl.environments.schema import Environment, Json
from ftrl.errors import InputError

ENVIRONMENT_COLUMNS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("scenario", pa.string(), nullable=False),
        pa.field("question", pa.string(), nullable=False),
        pa.field("answer", pa.string()),
        pa.field("tools", pa.string(), nullable=False),
        pa.field(
            "implementations",
            pa.list_(pa.struct([("tool", pa.string()), ("sha256", pa.string())])),
            nullable=False,
        ),
        pa.field(
            "golds",
            pa.list_(pa.struct([("tool", pa.string()), ("value", pa.string()), ("sub_question", pa.string())])),
            nullable=False,
        ),
        pa.field(
            "trace",
            pa.list_(
                pa.struct(
                    [
                        ("id", pa.string()),
                        ("text", pa.string()),
                        ("answer", pa.string()),
                        ("depends_on", pa.list_(pa.string())),
                        ("tool", pa.string()),
                        ("arguments", pa.string()),
                    ]
                )
            ),
            nullable=False,
        ),
        pa.field("split", pa.string(), nullable=False),
        pa.field("data_source", pa.string(), nullable=False),
        pa.field("provenance", pa.string(), nullable=False),
    ]
)
"""One row an environment. ``tools``, ``trace.arguments`` and ``provenance`` hold JSON text."""

SOURCE_COLUMNS = pa.schema(
    [pa.field("sha256", pa.string(), nullable=False), pa.field("source", pa.string(), nullable=False)]
)
"""One row a distinct tool source."""


def environment_to_row(environment: Environment) -> dict[str, Any]:
    """An environment as a row of ``ENVIRONMENT_COLUMNS``.

    Raises:
        InputError: it holds something that is not JSON, or text that is not Unicode; names the field.
    """
    row = environment.model_dump()
    row["scenario"] = environment.scenario.value
    row["tools"] = list(row["tools"])
    row["golds"] = list(row["golds"])
    row["trace"] = [{**step, "depends_on": list(step["depends_on"])} for step in row["trace"]]
    for field, value in row.items():
        check_json(value, field)
    row["tools"] = to_text(row["tools"])
    row["implementations"] = [{"tool": name, "sha256": sha256} for name, sha256 in row["implementations"].items()]
    row["trace"] = [{**step, "arguments": to_text(step["arguments"])} for step in row["trace"]]
    row["provenance"] = to_text(row["provenance"])
    return row


def environment_from_row(row: Mapping[str, Any]) -> Environment:
    """The environment in a row of ``ENVIRONMENT_COLUMNS``, as Ray Data or pyarrow's ``to_pylist`` give it."""
    return Environment.model_validate(
        {
            **row,
            "tools": json.loads(row["tools"]),
            "implementations": {entry["tool"]: entry["sha256"] for entry in row["implementations"]},
            "trace": [{**step, "arguments": json.loads(step["arguments"])} for step in row["trace"]],
            "provenance": json.loads(row["provenance"]),
        }
    )


def to_text(value: Json) -> str:
    """JSON text that reads back as exactly ``value``: order of keys, integers, floats, every character."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def check_json(value: Json, field: str) -> None:
    """Refuse what would not come back from a store as it went in.

    Raises:
        InputError: a number that JSON lacks, a key that is not text, a lone surrogate, or a Python object.
    """
    if value is None or isinstance(value, bool | int):
        return
    if isinstance(value, str):
        _check_unicode(value, field)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise InputError(f"{value} is not a number that JSON knows; leave it out", field=field)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise InputError(f"the key {key!r} is not text; JSON objects have text keys", field=field)
            _check_unicode(key, field)
            check_json(inner, field)
    elif isinstance(value, list):
        for inner in value:
            check_json(inner, field)
    else:
        raise InputError(f"{type(value).__name__} {value!r} is not JSON; convert it first", field=field)


def _check_unicode(text: str, field: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"character {error.start + 1} is the lone surrogate U+{ord(text[error.start]):04X}, "
            "which is not text; repair the encoding where it comes from",
            field=field,
        ) from None
