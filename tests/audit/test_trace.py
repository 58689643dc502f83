"""Whether honest work is paid."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ftrl.audit import Finding, Severity
from ftrl.audit.reach import unreachable_word
from ftrl.audit.source import read_source

Found = Callable[..., list[Finding]]


def test_a_golden_call_that_does_not_bring_its_gold_is_severe(found: Found) -> None:
    (finding,) = found("golden_call_misses", golden=(("522,250", "people", {"city": "Nantes"}),))
    assert (finding.severity, finding.pays["reference"]) == (Severity.SEVERE, 0.0)
    assert "320,732" in finding.evidence


def test_a_golden_call_that_fails_brings_no_gold(found: Found) -> None:
    assert found("golden_call_misses", golden=(("522,250", "people", {"town": "Lyon"}),))


def test_a_gold_whose_tool_is_never_called_is_severe(found: Found) -> None:
    others = {"other": "def other(city):\n    return 'x'"}
    (finding,) = found("golden_call_misses", others=others, golden=(("x", "other", {"city": "Lyon"}),))
    assert finding.evidence == "the trace has no call of this tool"


def test_without_a_trace_nothing_is_said_of_golden_calls(found: Found) -> None:
    assert not found("golden_call_misses", golds=("nobody's",))


def test_a_gold_that_the_tool_can_never_return_is_severe(found: Found) -> None:
    (finding,) = found("unreachable_gold", golds=("522,250", "Roald Amundsen"))
    assert (finding.gold, finding.severity) == ("Roald Amundsen", Severity.SEVERE)


CLOSED = {
    "constants": "return '12 men'",
    "table": "return {'a': ['12 men', 'women']}[city]",
    "picked": "table = {'a': '12 men'}\n    return table.get(city, 'nobody')",
    "loop": "found = []\n    for name, men in {'a': '12 men'}.items():\n        found.append(men)\n    return found",
    "filled": "found = {}\n    found['men'] = '12 men'\n    return found if city else None",
    "recased": "return '12 MEN'.lower()",
    "chosen": "return {'men': '12 men' if city == 'a' else 'nobody', 'known': city == 'a'}",
    "comprehension": "return [men for name, men in {'a': '12 men'}.items() if name == city]",
}
"""Bodies that return nothing but what stands in them."""

OPEN = {
    "echo": "return city",
    "echo in a list": "return ['12 men', city]",
    "formatted": "return f'12 men of {city}'",
    "computed": "return 12 + 1",
    "sliced": "return '12 men'[1:]",
    "joined": "return ''.join(['12', 'men'])",
    "put in": "found = []\n    found.append(city)\n    return found",
    "put in under another name": "found = []\n    same = found\n    same.append(city)\n    return found",
    "as a key": "found = {}\n    found[city] = '12 men'\n    return found",
    "by default": "return {'a': '12 men'}.get('b', city)",
    "reassigned": "found = '12 men'\n    found = city\n    return found",
    "grown": "found = '12 men'\n    found += city\n    return found",
    "caught": "try:\n        return {'a': '12 men'}[city]\n    except KeyError as error:\n        return str(error)",
    "helper": "def say(x):\n        return x\n    return say(city)",
    "looped over": "found = '12 men'\n    for found in [city]:\n        pass\n    return found",
    "unpacked": "found, other = city, 1\n    return found",
    "bound in a test": "return found if (found := city) else '12 men'",
    "imported": "import os\n    return '12 men'",
    "spread": "return {**{'a': '12 men'}, 'b': city}",
    "heap": "import heapq\n    found = ['12 men']\n    heapq.heappush(found, city)\n    return found",
}
"""Bodies that may return something else."""


@pytest.mark.parametrize("body", CLOSED.values(), ids=CLOSED.keys())
def test_words_that_stand_nowhere_in_a_closed_tool_are_unreachable(body: str) -> None:
    source = read_source("people", f"def people(city):\n    {body}\n")
    assert unreachable_word(source, "12 Dwarfs") == "dwarfs"
    assert unreachable_word(source, "12 Men") is None


@pytest.mark.parametrize("body", OPEN.values(), ids=OPEN.keys())
def test_nothing_is_said_of_a_tool_that_is_not_closed(body: str) -> None:
    assert unreachable_word(read_source("people", f"def people(city):\n    {body}\n"), "dwarfs") is None


def test_a_source_that_is_nested_very_deeply_is_not_looked_into(found: Found) -> None:
    deep = f"def people(city):\n    return '522,250' if city == 'Lyon' else {' + '.join(['city'] * 600)}"
    assert not found("missing_code", deep)
    assert read_source("people", deep).function is None
