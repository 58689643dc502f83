"""Golds for calls that contain them, and for texts of errors."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ftrl.audit import Finding, Severity

Found = Callable[..., list[Finding]]

CITY = {"city": {"type": "string", "description": "The city."}}


def test_an_argument_that_comes_back_is_an_echo_of_each_gold_put_in(found: Found) -> None:
    echoing = "def people(city, kind='all'):\n    return {'city': city, 'people': 'unknown'}"
    both = {**CITY, "kind": {"type": "string", "description": "Which."}}
    findings = found("echo", echoing, parameters=both, required=["city"], golds=("522,250", "320,732"))
    assert [(finding.gold, finding.evidence.partition(":")[0]) for finding in findings] == [
        ("522,250", "city"),
        ("320,732", "city"),
    ]
    assert {finding.severity for finding in findings} == {Severity.INFO}
    assert all(finding.pays["reference"] for finding in findings)


def test_a_list_of_texts_and_a_number_can_echo_too(found: Found) -> None:
    several = {
        "cities": {"type": "array", "description": "Cities.", "items": {"type": "string"}},
        "least": {"type": "integer", "description": "At least so many."},
    }
    echoing = "def people(cities, least):\n    return [cities, least]"
    assert len(found("echo", echoing, parameters=several)) == 2


@pytest.mark.parametrize(
    "source",
    [
        "def people(city):\n    return {'people': 'unknown'}",
        "def people(city):\n    raise LookupError(city)",  # an error is no output
        "def people(city):\n    return '522,250'",  # it comes back for anything: not because it was put in
    ],
)
def test_what_is_no_echo_is_not_called_one(found: Found, source: str) -> None:
    assert not found("echo", source)


def test_the_gold_as_the_name_of_an_argument_comes_back_in_the_error_text(found: Found) -> None:
    (finding,) = found("gold_as_name")
    assert finding.pays["reference"] == 1.0
    assert "unexpected keyword argument '522,250'" in finding.evidence


def test_a_tool_that_takes_any_name_repeats_none(found: Found) -> None:
    assert not found("gold_as_name", "def people(city=None, **rest):\n    return 'unknown'")


@pytest.mark.parametrize("gold", ["39", "1969", "Yes"])
def test_a_gold_that_one_fixed_name_holds_is_easy_to_guess(found: Found, gold: str) -> None:
    (finding,) = found("guess_as_name", golds=(gold,))
    assert finding.severity is Severity.LOW
    assert finding.pays["reference"] == 1.0


def test_a_gold_that_is_hard_to_guess_is_not_blamed(found: Found) -> None:
    assert not found("guess_as_name", golds=("Roald Amundsen", "522,251"))


def test_the_published_time_out_text_would_hold_the_gold_but_pays_under_no_profile(found: Found) -> None:
    (finding,) = found("time_out_text")
    assert set(finding.pays.values()) == {0.0}
    assert not found("time_out_text", golds=("Roald Amundsen",))
