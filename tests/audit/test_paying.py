"""What the two scoring profiles pay for the same defects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ftrl.audit import Finding, Severity

Found = Callable[..., list[Finding]]

ANYTHING = "def people(city):\n    return {'people': '522,250'}"
ECHOING = "def people(city):\n    return {'city': city, 'people': 'unknown'}"
CAPITAL = {"capital": "def capital(city):\n    return {'Rhône': 'Lyon'}[city]"}


@pytest.mark.parametrize(
    ("probe", "task"),
    [
        ("nonsense_arguments", {"source": ANYTHING}),
        ("gold_as_name", {}),
        ("guess_as_name", {"golds": ("1969",)}),
        ("echo", {"source": ECHOING}),
        ("error_text", {"source": "def people(city):\n    raise LookupError('is it 522,250?')"}),
    ],
)
def test_the_reference_pays_for_nothing_and_strict_does_not(found: Found, probe: str, task: dict[str, Any]) -> None:
    (finding,) = found(probe, **task)
    assert finding.pays == {"reference": 1.0, "strict": 0.0}


def test_a_gold_within_a_longer_number_is_one_severity_less(found: Found) -> None:
    whole, part = (f"def people(city):\n    return 'about {number} people'" for number in ("17", "1712"))
    (finding,) = found("nonsense_arguments", whole, golds=("17",))
    assert finding.severity is Severity.SEVERE
    (finding,) = found("nonsense_arguments", part, golds=("17",))
    assert (finding.severity, finding.pays) == (Severity.HIGH, {"reference": 1.0, "strict": 0.0})


def test_each_gold_is_priced_by_itself(found: Found) -> None:
    # A call ticks one gold, the first that is open; the audit wants to know of each.
    source = "def people(city):\n    return ['522,250', '320,732']"
    findings = found("nonsense_arguments", source, golds=("522,250", "320,732"))
    assert [(finding.gold, finding.pays["reference"]) for finding in findings] == [("522,250", 1.0), ("320,732", 1.0)]


def test_golden_calls_are_paid_in_full_under_both_profiles(found: Found) -> None:
    assert not found("golden_call_misses", golden=(("522,250", "people", {"city": "Lyon"}),))


def test_a_golden_call_that_breaks_its_document_is_paid_in_part(found: Found) -> None:
    source = "def people(city):\n    return {'Lyon': '522,250'}[city[0] if isinstance(city, list) else city]"
    (finding,) = found("golden_call_misses", source, golden=(("522,250", "people", {"city": ["Lyon"]}),))
    assert (finding.severity, finding.pays) == (Severity.HIGH, {"reference": 1.0, "strict": 0.5})


def test_a_hop_is_played_after_those_that_it_depends_on_whatever_the_order_of_the_trace(
    found: Found, make_task: Callable[..., Any]
) -> None:
    golden = (("522,250", "people", {"city": "Lyon"}), ("Lyon", "capital", {"city": "Rhône"}))
    late, early = make_task(others=CAPITAL, golden=golden)[0].trace
    trace = (late.model_copy(update={"depends_on": (early.id,)}), early)
    asked = "How many people live in the capital of the Rhône?"
    assert not found("golden_call_misses", others=CAPITAL, question=asked, trace=trace)


def test_golds_that_stand_twice_need_two_golden_calls(found: Found) -> None:
    source = "def people(city):\n    return {'Lyon': '522,250', 'Nantes': '522,250'}[city]"
    golden = (("522,250", "people", {"city": "Lyon"}), ("522,250", "people", {"city": "Nantes"}))
    asked = "Do Lyon and Nantes have as many people?"
    assert not found("golden_call_misses", source, golds=("522,250",) * 2, golden=golden, question=asked)
    (finding,) = found("golden_call_misses", source, golds=("522,250",) * 2, golden=golden[:1], question=asked + "?")
    assert finding.pays == {"reference": 0.0, "strict": 0.0}
