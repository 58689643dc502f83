"""Every command of README and docs that can run here runs as printed, page by page, in a fresh folder."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.docs import taken_for_granted
from tests.docs.pages import Block, Page, pages
from tests.reports.conftest import sandbox, small_run  # noqa: F401 - a quickstart's folder, as the report's tests make it

READ_ELSEWHERE = {
    "CONTRIBUTING.md": "its commands are about this checkout",
}
"""Pages whose commands are not run here, and why."""

LISTENS = re.compile(r"http://\S+")
"""How a server says that it is ready."""

INTERRUPTED = 130


def has(page: Page, *notes: str) -> bool:
    return page.name not in READ_ELSEWHERE and any(block.note in notes for block in page.blocks("sh"))


AT_ONCE = [page for page in pages() if has(page, "run", "servers", "0 or 1")]
IN_MINUTES = [page for page in pages() if has(page, "slow")]


@pytest.fixture(scope="session")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    taken_for_granted.files_of_tasks(folder)
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    @cache
    def made() -> Path:
        folder = tmp_path_factory.mktemp("models") / "tiny-policy"
        taken_for_granted.model(folder)
        return folder

    return made


@pytest.fixture(scope="session")
def providers() -> Iterator[dict[str, str]]:
    with taken_for_granted.providers() as reached:
        yield reached


class Reader:
    """Somebody who follows a page in a folder of their own.

    Args:
        page: which.
        folder: theirs.
        reached: the models that they reach.
    """

    def __init__(self, page: Page, folder: Path, reached: dict[str, str]) -> None:
        self._page, self._folder = page, folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._yours = {
            **taken_for_granted.YOURS,
            **{name: to for name, to in reached.items() if "://" in name},
            "--http 8000": f"--http {port}",
            "ftrl view": f"ftrl view --port {port}",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FTRL_", "RAY_", "OPENAI_"))}
        keys = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "LOCAL_API_KEY"), "test")
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._environment = {**kept, **keys, **reached, "PATH": path, "HOME": os.environ.get("HOME", "/")}

    def follow(self, *notes: str) -> None:
        """Run the page's blocks with these notes, in order; configurations that it prints lie there by their name."""
        for block in self._page.blocks("sh", "yaml"):
            named = re.match(r"# ([\w./-]+\.yaml)\b", block.text)
            if block.language == "yaml" and named:
                (self._folder / named[1]).parent.mkdir(parents=True, exist_ok=True)
                (self._folder / named[1]).write_text(block.text)
            elif block.language == "sh" and block.note in notes:
                self._run(block)

    def _run(self, block: Block) -> None:
        script = block.script
        for printed, ours in self._yours.items():
            script = script.replace(printed, ours)
        if block.note == "servers":
            for words in Block("sh", script, block.line).commands():
                self._serve(block, words)
            return
        command = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._here())
        told = f"{self._page.name}:{block.line}\n{script}{done.stdout}{done.stderr}"
        assert done.returncode in ((0, 1) if block.note == "0 or 1" else (0,)), told
        assert "Traceback" not in done.stderr, told

    def _serve(self, block: Block, words: list[str]) -> None:
        """Start a server, wait until it says where it listens, and stop it as a person does."""
        said = ""
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True, **self._here()
        ) as server:
            assert server.stdout is not None
            for line in server.stdout:
                said += line
                if LISTENS.search(line):
                    os.killpg(server.pid, signal.SIGINT)
                    break
            said += server.stdout.read()
        told = f"{self._page.name}:{block.line}\n{shlex.join(words)}\n{said}"
        assert LISTENS.search(said), told
        assert server.returncode in (0, INTERRUPTED), told

    def _here(self) -> dict[str, object]:
        return {"cwd": self._folder, "env": self._environment, "stdin": subprocess.DEVNULL}


@pytest.fixture
def reader(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tasks: Path,
    base: Callable[[], Path],
    small_run: Path,  # noqa: F811 - a fixture's name
    providers: dict[str, str],
) -> Reader:
    page: Page = request.param
    taken_for_granted.lay_out(page.name, tmp_path, tasks, base, small_run)
    return Reader(page, tmp_path, providers)


@pytest.mark.parametrize("reader", AT_ONCE, ids=[page.name for page in AT_ONCE], indirect=True)
def test_the_commands_of_a_page_work_as_printed_from_top_to_bottom(reader: Reader) -> None:
    reader.follow("run", "servers", "0 or 1")


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("reader", IN_MINUTES, ids=[page.name for page in IN_MINUTES], indirect=True)
def test_the_commands_that_take_minutes_work_as_printed(reader: Reader) -> None:
    reader.follow("run", "slow")


def test_what_a_page_is_given_is_what_it_names() -> None:
    for name, given in taken_for_granted.TAKEN.items():
        printed = "".join(block.text for block in Page(name).blocks())
        assert [one for one in given if "/" in one and one not in printed] == []


def test_a_command_that_fails_is_found(tmp_path: Path) -> None:
    page = Page("docs/index.md")
    reader = Reader(page, tmp_path, {})
    for text in ("false\n", "ftrl env stats nowhere\n", "false | true\n"):
        with pytest.raises(AssertionError, match=r"docs/index\.md:3"):
            reader._run(Block("sh", text, 3))
