"""The pages as tests read them: fenced blocks with the note above them, the commands in them, links and headings.

A block of commands is run in the order of the page, in a folder that the page's blocks share, as ``test_running`` does.
A comment on the line before it says otherwise:

* ``<!-- not run: needs a GPU -->``: it is only read;
* ``<!-- slow: starts vLLM -->``: it is run with ``--slow``;
* ``<!-- servers: they go on until they are stopped -->``: its commands are, once they say where they listen;
* ``<!-- 0 or 1: tells about the machine -->``: it may end with either exit code;
* ``<!-- slow, but for `ftrl train`: needs eight GPUs -->``: lines that begin so are only read, the others are run;
  ``run, but for`` and so on, likewise, and several with ``and`` between them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTE = re.compile(r"<!-- (not run|run|slow|servers|0 or 1)(?:, but for (`[^:]+`))?: (.+?) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: after the fence.
        text: of the block.
        line: number of its first.
        note: how it is run; ``run`` where nothing is said.
        skipped: beginnings of lines that are not run.
        why: the reason for the note.
    """

    language: str
    text: str
    line: int
    note: str = "run"
    skipped: tuple[str, ...] = ()
    why: str = ""

    @property
    def script(self) -> str:
        """The text without the lines that are not run."""
        whole = re.findall(r"(?:.*\\\n)*.*\n", self.text)
        return "".join(line for line in whole if not line.startswith(self.skipped))

    def commands(self) -> Iterator[list[str]]:
        """The words of each simple command, without redirections, comments, and the text of here-documents.

        In a block without a language, only what follows ``$`` or begins with a name of ours is a command.
        """
        text = re.sub(r"<<'?(\w+)'?(.*?)\n.*?\n\1$", r"\2", self.text, flags=re.DOTALL | re.MULTILINE)
        pending = ""
        for line in text.replace("\\\n", " ").splitlines():
            if self.language == "" and not re.match(r"(\$ )?(ftrl|make|ray) ", line):
                continue
            pending += line.removeprefix("$ ")
            try:
                found = list(simple_commands(pending))
            except ValueError:  # a quotation goes on in the next line
                pending += "\n"
                continue
            pending = ""
            yield from found


@dataclass(frozen=True)
class Page:
    """A page, by its path from the project's folder."""

    name: str

    @property
    def file(self) -> Path:
        return ROOT / self.name

    @property
    def text(self) -> str:
        return self.file.read_text()

    def blocks(self, *languages: str) -> list[Block]:
        """The page's fenced blocks in these languages, or all."""
        return [block for block in read_blocks(self.text) if not languages or block.language in languages]

    def prose(self) -> str:
        """The page without its fenced blocks."""
        return re.sub(r"^ *```.*?^ *```$", "", self.text, flags=re.DOTALL | re.MULTILINE)


@cache
def pages() -> list[Page]:
    """README, CONTRIBUTING and every page of the documentation that is written by hand."""
    written = [file for file in sorted((ROOT / "docs").rglob("*.md")) if file.parent.name != "reference"]
    return [Page("README.md"), Page("CONTRIBUTING.md"), *(Page(str(file.relative_to(ROOT))) for file in written)]


def read_blocks(text: str) -> list[Block]:
    """The fenced blocks of a page."""
    found: list[Block] = []
    before, language, first, lines = "", None, 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.fullmatch(r" *```(\w*)", line)
        if fence is None:
            if language is None:
                before = line
            lines.append(line)
        elif language is None:
            language, first, lines = fence[1], number + 1, []
        else:
            note = NOTE.fullmatch(before.strip())
            said = (note[1], tuple(re.findall(r"`([^`]+)`", note[2] or "")), note[3]) if note else ()
            found.append(Block(language, "\n".join(lines) + "\n", first, *said))
            language, before = None, ""
    return found


def simple_commands(line: str) -> Iterator[list[str]]:
    """``A=1 a x > f && b | c  # d`` → ``[a, x]``, ``[b]``, ``[c]``; what ``$(…)`` runs is a command, too.

    Raises:
        ValueError: a quotation does not end.
    """
    line = re.sub(r"\$\(([^()]*)\)", r" ; \1 ; ", line)
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.commenters, lexer.whitespace_split = "#", True
    words: list[str] = []
    skip = False
    for token in [*lexer, ";"]:
        if skip:
            skip = False
        elif set(token) <= set("<>&") and ("<" in token or ">" in token):
            skip = True
        elif set(token) <= set("|&;"):
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words = words[1:]
            if words:
                yield words
            words = []
        else:
            words.append(token)


def headings(text: str) -> set[str]:
    """The anchors of a page, as GitHub and the site make them (where the two agree)."""
    found: set[str] = set()
    for line in re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE).splitlines():
        if heading := re.fullmatch(r"#+ (.+)", line):
            plain = re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading[1]).lower()
            found.add(re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", plain).strip()))
    return found
