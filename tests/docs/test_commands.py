"""Every command of README and docs is one that there is, and what it names exists."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from typing import Any

import pytest
import typer

from ftrl.cli import app
from tests.docs.pages import ROOT, Block, Page, pages, read_blocks
from tests.docs.taken_for_granted import BESIDE

CLI: Any = typer.main.get_command(app)
USAGE_ERROR: Any = typer.BadParameter.__base__
"""What Typer raises when it refuses words; it has no public name for it."""


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
        ("b\n", "run", ""),
        ("c\n", "run", ""),
    ]


def test_a_note_may_except_commands_with_all_their_lines() -> None:
    text = "<!-- slow, but for `a` and `b c`: GPUs -->\n```sh\na \\\n  x\nb d\nb c\nd \\\n  e\n```\n"
    (block,) = read_blocks(text)
    assert (block.note, block.why, block.script) == ("slow", "GPUs", "b d\nd \\\n  e\n")
