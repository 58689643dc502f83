"""Every command of README and docs: what it names exists, and what can run here runs as printed."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from ftrl.cli import app
from tests.docs.pages import ROOT, Block, Page, pages, read_blocks
from tests.reports.conftest import sandbox, small_run  # noqa: F401 - a quickstart's folder, as the report's tests make it

CLI: Any = typer.main.get_command(app)
USAGE_ERROR: Any = typer.BadParameter.__base__
"""What Typer raises when it refuses words; it has no public name for it."""

SHELL_PAGES = [page for page in pages() if page.blocks("sh")]
ONLY_READ = {
    "CONTRIBUTING.md": "its commands are about this checkout",
    "docs/collection.md": "what it shows is run by tests/rollouts",
    "docs/report.md": "what it shows is run by tests/reports",
    "docs/synthesis.md": "what it shows is run by tests/synthesis",
    "docs/training.md": "what it shows is run by tests/training/test_paper_page.py",
}
"""Pages whose commands are not run here, and why."""

BESIDE = ("jobs", "examples", "cluster", "benchmarks", "constraints", "pyproject.toml")
"""What the project's folder has and commands name."""


# What is printed exists


def commands(page: Page) -> list[tuple[int, list[str]]]:
    """Line and words of every command in the page's blocks, also in those without a language that show a session."""
    found = []
    for block in page.blocks("sh", ""):
        found += [(block.line, words) for words in block.commands()]
    return found


def reach(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words lead to, and the words behind its name."""
    command, rest = CLI, list(words)
    while rest and rest[0] in getattr(command, "commands", {}):
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def refuse(words: list[str]) -> str | None:
    """Why the command line would refuse these words, without running anything; None if it would not."""
    if "--help" in words:
        words = [word for word in words if word != "--help"]
        command, rest = reach(words)
        return f"there is no command {rest[0]}" if rest else None
    context: Any = None
    command, rest = CLI, list(words)
    try:
        while True:
            context = command.make_context(command.name, list(rest), parent=context)
            if not hasattr(command, "commands"):
                return None
            _, command, rest = command.resolve_command(context, context._protected_args + context.args)
    except USAGE_ERROR as error:
        return error.format_message()


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_ftrl_command_of_a_page_is_one_that_the_command_line_takes(page: Page) -> None:
    wrong = {
        f"{page.name}:{line}: {shlex.join(words)}": why
        for line, words in commands(page)
        if words[0] == "ftrl" and (why := refuse(words[1:]))
    }
    assert not wrong


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_command_and_option_that_a_page_mentions_exists(page: Page) -> None:
    for mention in re.findall(r"`(ftrl [a-z-][^`]*)`", page.prose()):
        words = mention.split()[1:]
        command, rest = reach(words)
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        named = [word.partition("=")[0] for word in rest if word.startswith("--")]
        assert command is not CLI or words[0].startswith("--"), f"{page.name}: `{mention}` names no command"
        if not hasattr(command, "commands"):
            assert set(named) <= {*options, "--help"}, f"{page.name}: `{mention}`"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_target_and_file_of_the_project_that_a_command_names_is_there(page: Page) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line, words in commands(page):
        if words[0] == "make":
            named = {word for word in words[1:] if "=" not in word}
            assert named <= targets, f"{page.name}:{line}: there is no make {' '.join(named - targets)}"
        for word in words:
            if word.split("/")[0] in BESIDE and "*" not in word:
                assert (ROOT / word).exists(), f"{page.name}:{line}: {word} is not in the project"


@pytest.mark.parametrize("page", [page for page in pages() if page.blocks("python")], ids=lambda page: page.name)
def test_the_names_that_a_page_imports_exist(page: Page) -> None:
    for block in page.blocks("python"):
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module or "")
                assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


# What is printed runs


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pages take for granted: a few tasks in the published format."""
    folder = tmp_path_factory.mktemp("material")
    for split in ("train", "test"):
        store = str(folder / split)
        for words in (
            ["synth", "--out", store, "--count", "8", "--split", split],
            ["env", "export", store, "--out", str(folder / f"{split}.jsonl")],
        ):
            done = CliRunner().invoke(app, words, catch_exceptions=False)
            assert done.exit_code == 0
    return folder


@pytest.fixture
def project(tmp_path: Path, material: Path, small_run: Path) -> Path:  # noqa: F811 - a fixture's name
    """A fresh folder that looks like the project's, with the published files and a finished quickstart in it."""
    shutil.copytree(small_run, tmp_path / "runs" / "quickstart")
    for name in BESIDE:
        (tmp_path / name).symlink_to(ROOT / name)
    for file in material.glob("*.jsonl"):
        shutil.copy(file, tmp_path)
    return tmp_path


def environment() -> dict[str, str]:
    binaries = Path(sys.executable).parent
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FTRL_", "RAY_", "OPENAI_"))}
    return {**kept, "PATH": f"{binaries}:{os.environ['PATH']}", "HOME": os.environ.get("HOME", "/")}


def run(page: Page, folder: Path, *, slow: bool) -> None:
    """Run the page's blocks in the folder, in order; configurations that the page prints lie there by their name."""
    for block in page.blocks("sh", "yaml"):
        named = re.match(r"# ([\w./-]+\.yaml)\b", block.text)
        if block.language == "yaml" and named:
            (folder / named[1]).parent.mkdir(parents=True, exist_ok=True)
            (folder / named[1]).write_text(block.text)
        elif block.language == "sh" and (block.note == "" or (slow and block.note == "slow")):
            script = ["bash", "-euo", "pipefail", "-c", block.text]
            done = subprocess.run(
                script,
                cwd=folder,
                env=environment(),
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                check=False,
            )
            assert done.returncode == 0, f"{page.name}:{block.line}\n{block.text}{done.stdout}{done.stderr}"


def has(page: Page, note: str) -> bool:
    return page.name not in ONLY_READ and any(block.note == note for block in page.blocks("sh"))


@pytest.mark.parametrize("page", [page for page in SHELL_PAGES if has(page, "")], ids=lambda page: page.name)
def test_the_commands_of_a_page_work_as_printed_from_top_to_bottom(page: Page, project: Path) -> None:
    run(page, project, slow=False)


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("page", [page for page in SHELL_PAGES if has(page, "slow")], ids=lambda page: page.name)
def test_the_commands_that_take_minutes_work_as_printed(page: Page, project: Path) -> None:
    run(page, project, slow=True)


# The tests can tell


@pytest.mark.parametrize(
    "line",
    [
        "ftrl synt --out x",
        "ftrl synth",
        "ftrl synth --out x --cuont 3",
        "ftrl synth --out x --count three",
        "ftrl env show store",
        "ftrl",
    ],
)
def test_a_command_that_the_command_line_would_refuse_is_found(line: str) -> None:
    assert refuse(line.split()[1:]) is not None


def test_commands_are_read_out_of_pipes_lists_and_continued_lines() -> None:
    text = "A=1 ftrl env stats x > y && make test | tail -n 1  # why\nftrl eval table a \\\n  b\ncat $(ftrl --help)\n"
    assert list(Block("sh", text, 1).commands()) == [
        ["ftrl", "env", "stats", "x"],
        ["make", "test"],
        ["tail", "-n", "1"],
        ["ftrl", "eval", "table", "a", "b"],
        ["cat"],
        ["ftrl", "--help"],
    ]


def test_a_note_belongs_to_the_block_right_below_it() -> None:
    text = "<!-- not run: needs a GPU -->\n```sh\na\n```\n\n<!-- slow: vLLM -->\n\n```sh\nb\n```\n```sh\nc\n```\n"
    assert [(block.text, block.note, block.why) for block in read_blocks(text)] == [
        ("a\n", "not run", "needs a GPU"),
        ("b\n", "", ""),
        ("c\n", "", ""),
    ]
