"""Reading Python sources, from whatever thread."""

from __future__ import annotations

import ast
import threading

_parsing = threading.Lock()


def syntax_tree(source: str, name: str = "<unknown>") -> ast.Module:
    """The tree of a source; nothing of it runs.

    One thread at a time: until Python 3.12.2 all threads share the parser's count of levels, and it fails with a
    ``SystemError`` where two are at work.

    Args:
        source: Python.
        name: what errors call it.

    Raises:
        SyntaxError: it is not Python.
        ValueError: it holds a null character.
        RecursionError: it is nested too deeply.
        MemoryError: the same, as older Pythons say it.
    """
    with _parsing:
        return ast.parse(source, name)
