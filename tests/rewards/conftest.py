"""A sandbox, and the published tasks, for the tests of scores."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrl.sandbox import Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=2) as opened:
        yield opened


@pytest.fixture(scope="session")
def published_sources(shared: Path) -> list[dict[str, str]]:
    """Tool name → source, per row of the published tasks."""
    with (shared / "data/ftrl_test_dev100.jsonl").open(encoding="utf-8") as file:
        return [json.loads(json.loads(line)["codes"]) for line in file]


@pytest.fixture(scope="session")
def published_golds(shared: Path) -> list[dict[str, list[str]]]:
    """Open golds per row of the published tasks."""
    with (shared / "data/ftrl_test_dev100.jsonl").open(encoding="utf-8") as file:
        return [json.loads(json.loads(line)["unsolved_set"]) for line in file]


@pytest.fixture(scope="session")
def golden(shared: Path) -> Callable[[str], list[dict[str, Any]]]:
    """The lines of a golden file, by its name."""

    def lines(name: str) -> list[dict[str, Any]]:
        with (shared / "golden" / name).open(encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    return lines
