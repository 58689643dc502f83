"""What the tests of several suites share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ftrl.sandbox import Sandbox
from tests.evaluation.chat_server import ChatServer


@pytest.fixture(scope="session")
def one_sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1) as opened:
        yield opened


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    opened = ChatServer()
    yield opened
    opened.close()
