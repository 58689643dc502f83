"""How tools behave when they run, and what their sources reach for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ftrl.audit import Finding, Severity, TaskAudit

Found = Callable[..., list[Finding]]

IN_FRONT = "def people(city):\n    {}\n    return {{'Lyon': '522,250'}}[city]"
"""A sound tool with a statement in front."""

CONSTANT = {
    "blind": "def people(city):\n    return '522,250'",
    "one constant": "def people(city):\n    if city:\n        return ['none']\n    return ['none']",
    "always the gold": "def people(city):\n    return '522' + ',250' if city is not None else '522,250'",
}


@pytest.mark.parametrize("source", CONSTANT.values(), ids=CONSTANT.keys())
def test_a_tool_with_one_output_is_constant(found: Found, source: str) -> None:
    (finding,) = found("constant_tool", source)
    assert finding.severity is Severity.HIGH


def test_a_tool_that_says_not_found_to_the_golden_call_too_is_constant(found: Found) -> None:
    source = "def people(city):\n    return f'{len(city) and 0} people'"
    golden = (("522,250", "people", {"city": "Lyon"}),)
    assert found("constant_tool", source, golden=golden)
    assert not found("constant_tool", source)  # without a golden call, it may just be that nobody knows nonsense


@pytest.mark.parametrize(
    "source",
    [
        "def people(city):\n    return {'Lyon': '522,250'}.get(city, 'unknown')",
        "def people(city):\n    if not city:\n        raise ValueError('which?')\n    return 'x'",
        "def people(city):\n    if city == 'Lyon':\n        return '522,250'",
    ],
)
def test_a_tool_that_can_answer_differently_is_not_constant(found: Found, source: str) -> None:
    assert not found("constant_tool", source)


def test_a_constant_tool_that_no_gold_belongs_to_is_only_low(found: Found) -> None:
    (finding,) = found("constant_tool", others={"other": "def other(city):\n    return 'x'"})
    assert (finding.tool, finding.severity) == ("other", Severity.LOW)


VARYING = {
    "chance": "import random\n    return random.random()",
    "clock": "import time\n    return time.time()",
    "address": "return id(object())",
    "process": "import os\n    return [os.getpid(), __import__('time').time_ns()]",
}


@pytest.mark.parametrize("body", VARYING.values(), ids=VARYING.keys())
def test_a_tool_whose_output_differs_in_another_process_is_not_deterministic(found: Found, body: str) -> None:
    (finding,) = found("non_deterministic", f"def people(city):\n    {body}")
    assert finding.severity is Severity.HIGH
    assert "in another process" in finding.evidence


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("from datetime import date; city == 'x' and date.today()", "datetime.date.today"),
        ("import datetime; city == 'x' and datetime.datetime.now()", "datetime.datetime.now"),
        ("from time import time; city == 'x' and time()", "time.time"),
        ("import random; city == 'x' and random.random()", "random"),
    ],
)
def test_what_varies_for_some_arguments_alone_is_seen_in_the_source(found: Found, statement: str, told: str) -> None:
    (finding,) = found("non_deterministic", IN_FRONT.format(statement))
    assert finding.severity is Severity.LOW
    assert told in finding.evidence


@pytest.mark.parametrize(
    "statement",
    [
        "from datetime import datetime; datetime.strptime('2001', '%Y')",
        "from datetime import time; time.fromisoformat('12:00')",
        "known = {'time': 1}; known.get('time')",
    ],
)
def test_reckoning_with_given_times_is_deterministic(found: Found, statement: str) -> None:
    assert not found("non_deterministic", IN_FRONT.format(statement))


def test_a_call_that_takes_long_twice_is_slow(found: Found) -> None:
    (finding,) = found("slow_tool", IN_FRONT.format("import time; time.sleep(0.2)"))
    assert finding.severity is Severity.HIGH
    assert float(finding.evidence.partition(" s for ")[0]) >= 0.2
    assert not found("slow_tool")


def test_waiting_for_some_arguments_alone_is_seen_in_the_source(found: Found) -> None:
    (finding,) = found("slow_tool", IN_FRONT.format("import time; city == 'x' and time.sleep(9)"))
    assert (finding.severity, finding.evidence) == (Severity.LOW, "calls time.sleep")


def test_a_tool_that_hangs_is_stopped_and_holds_nothing_up(audit: Callable[..., TaskAudit]) -> None:
    audited = audit("def people(city):\n    while city: pass\n    return '522,250'")
    (finding,) = [one for one in audited.findings if one.probe == "stopped_tool"]
    assert (finding.severity, finding.evidence[:7]) == (Severity.HIGH, "timeout")
    assert audited.calls < 20  # it is not asked everything that other tools are asked


@pytest.mark.parametrize(
    ("statement", "status"),
    [("city = [bytearray(1 << 29) for _ in 'ab']", "memory"), ("return 'x' * (1 << 20)", "output_limit")],
)
def test_a_tool_that_is_stopped_for_another_reason_is_told(found: Found, statement: str, status: str) -> None:
    (finding,) = found("stopped_tool", IN_FRONT.format(statement))
    assert finding.evidence.startswith(f"{status} in ")
    assert not found("stopped_tool")


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("open('x')", "calls open"),
        ("import os; os.getcwd()", "imports os"),
        ("from subprocess import run", "imports subprocess"),
        ("import urllib.request", "imports urllib.request"),
        ("import socket as s", "imports socket"),
        ("requests.get('x')", "uses requests"),
    ],
)
def test_reaching_outside_is_seen_in_the_source(found: Found, statement: str, told: str) -> None:
    (finding,) = found("reaches_outside", IN_FRONT.format(statement))
    assert (finding.severity, finding.evidence) == (Severity.HIGH, told)


@pytest.mark.parametrize("statement", ["import re, math, json", "print('x')", "'open'.upper()", "opened = city"])
def test_what_stays_inside_is_not_blamed(found: Found, statement: str) -> None:
    assert not found("reaches_outside", IN_FRONT.format(statement))


@pytest.mark.parametrize("statement", ["eval(city)", "exec('x = 1')", "city.__class__", "__import__('re')"])
def test_code_out_of_text_and_inner_names_are_seen(found: Found, statement: str) -> None:
    (finding,) = found("dynamic_code", IN_FRONT.format(statement))
    assert finding.severity is Severity.HIGH
    assert not found("dynamic_code", IN_FRONT.format("import ast; ast.literal_eval('1')"))
