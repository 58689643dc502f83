"""The jobs as modules: scripts of a folder that is no package."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

JOBS = Path(__file__).resolve().parents[2] / "jobs"


@pytest.fixture(autouse=True)
def _jobs_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python does for the script that it runs."""
    monkeypatch.syspath_prepend(str(JOBS))
    for script in JOBS.glob("*.py"):
        monkeypatch.delitem(sys.modules, script.stem, raising=False)
