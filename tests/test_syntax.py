"""Reading sources from many threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ftrl.syntax import syntax_tree

DEEP = "value = " + "(" * 40 + "1" + ")" * 40 + "\n"


def test_many_threads_read_at_once() -> None:
    source = "".join(f"def tool_{number}(name):\n    return {{'a': [name, ({number},)]}}\n" for number in range(200))
    with ThreadPoolExecutor(8) as threads:
        trees = list(threads.map(syntax_tree, [source, DEEP * 50] * 40))
    assert [len(tree.body) for tree in trees] == [200, 50] * 40


def test_what_is_no_python_is_a_syntax_error_with_the_name_that_was_given() -> None:
    with pytest.raises(SyntaxError) as error:
        syntax_tree("def (", "<tool>")
    assert error.value.filename == "<tool>"
