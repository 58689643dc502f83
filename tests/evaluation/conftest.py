"""What the tests of several suites share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ftrl.sandbox import Sandbox


@pytest.fixture(scope="session")
def one_sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1) as opened:
        yield opened
