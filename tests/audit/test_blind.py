"""Golds for calls that know nothing: each defect is found, and a sound tool is not blamed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ftrl.audit import Finding, Severity, TaskAudit

Found = Callable[..., list[Finding]]

BLIND = {"no_arguments", "nonsense_arguments", "wrong_types", "every_choice", "wildcard", "error_text"}

KIND = {"kind": {"type": "string", "description": "What to count.", "enum": ["cats", "people", "dogs"]}}
CITY = {"city": {"type": "string", "description": "The city."}}


def test_a_sound_task_has_no_finding_above_info(audit: Callable[..., TaskAudit]) -> None:
    audited = audit(golden=(("522,250", "people", {"city": "Lyon"}),))
    assert {finding.probe for finding in audited.findings} == {"gold_as_name", "time_out_text"}
    assert (audited.severity, audited.grade) == (Severity.INFO, "A")
    assert (audited.golds, audited.tools) == (1, 1)


def test_a_default_that_is_the_answer_pays_for_no_arguments(found: Found) -> None:
    source = "def people(city='Lyon'):\n    return {'Lyon': '522,250', 'Nantes': '320,732'}[city]"
    (finding,) = found("no_arguments", source, required=[])
    assert (finding.severity, finding.gold, finding.pays["reference"]) == (Severity.SEVERE, "522,250", 1.0)
    assert finding.evidence == "people() → 522,250"


def test_a_tool_without_parameters_is_only_low(found: Found) -> None:
    (finding,) = found("no_arguments", "def people():\n    return '522,250'", parameters={})
    assert finding.severity is Severity.LOW


def test_a_tool_that_does_not_look_at_its_argument_pays_for_nonsense(found: Found) -> None:
    (finding,) = found("nonsense_arguments", "def people(city):\n    return {'people': '522,250'}")
    assert finding.severity is Severity.SEVERE
    assert "more such calls" in finding.evidence


def test_nonsense_is_tried_where_every_parameter_is_optional(found: Found) -> None:
    source = "def people(city=None):\n    return '522,250' if city else 'which city?'"
    assert found("nonsense_arguments", source, required=[])
    assert not found("no_arguments", source, required=[])


def test_a_gold_that_the_nonsense_itself_holds_is_not_blamed_on_the_tool(found: Found) -> None:
    echoing = "def people(city):\n    return f'nobody knows {city}'"
    assert not found("nonsense_arguments", echoing, golds=("12",))  # a text of the audit's holds 12345


def test_wrong_types_that_bring_a_gold_are_found(found: Found) -> None:
    source = "def people(city):\n    return 'unknown' if isinstance(city, str) else '522,250'"
    (finding,) = found("wrong_types", source)
    assert finding.severity is Severity.SEVERE
    assert not found("nonsense_arguments", source)


@pytest.mark.parametrize("text", ["", "*", "all", "a"])
def test_wildcards_that_bring_a_gold_are_found(found: Found, text: str) -> None:
    source = f"def people(city):\n    return ['522,250', '320,732'] if city == {text!r} else []"
    (finding,) = found("wildcard", source)
    assert finding.severity is Severity.SEVERE


def test_a_look_up_by_parts_of_names_gives_itself_away_to_a_letter(found: Found) -> None:
    source = (
        "def people(city):\n"
        "    known = {'Nantes': '320,732', 'Rennes': '225,081'}\n"
        "    return [number for name, number in known.items() if city in name]"
    )
    assert found("wildcard", source, golds=("320,732",))


def choosing(paying: set[str]) -> str:
    return f"def people(kind):\n    return '522,250' if kind in {sorted(paying)} else 'none'"


def test_choosing_rightly_from_a_list_is_only_low(found: Found) -> None:
    (finding,) = found("every_choice", choosing({"people"}), parameters=KIND)
    assert finding.severity is Severity.LOW


def test_a_list_from_which_everything_pays_is_high(found: Found) -> None:
    (finding,) = found("every_choice", choosing({"cats", "people", "dogs"}), parameters=KIND)
    assert finding.severity is Severity.HIGH


def test_a_list_beside_a_parameter_that_does_not_matter_is_severe(found: Found) -> None:
    source = "def people(city, kind):\n    return '522,250' if kind == 'dogs' else 'none'"
    (finding,) = found("every_choice", source, parameters={**CITY, **KIND})
    assert finding.severity is Severity.SEVERE
    assert 'kind="dogs"' in finding.evidence


def test_no_more_than_64_combinations_are_tried(audit: Callable[..., TaskAudit]) -> None:
    names = [f"p{i}" for i in range(8)]
    lists: dict[str, Any] = {name: {"type": "integer", "description": "!", "enum": list(range(9))} for name in names}
    audited = audit(f"def people({', '.join(names)}):\n    return 'none'", parameters=lists)
    assert audited.calls < 100


def test_an_error_text_that_tells_the_gold_is_found(found: Found) -> None:
    source = "def people(city):\n    raise LookupError('unknown city; did you mean Lyon with 522,250?')"
    (finding,) = found("error_text", source)
    assert finding.severity is Severity.HIGH
    assert finding.pays["reference"] == 1.0
    assert not found("error_text")


def test_the_text_that_names_missing_arguments_is_an_error_text(found: Found) -> None:
    source = "def people(city, country):\n    raise LookupError('unknown')"
    assert found("error_text", source, golds=("country",), parameters={**CITY, "country": {"type": "string"}})


def test_the_whole_question_as_an_argument_is_tried(found: Found) -> None:
    source = "def people(city):\n    return '522,250' if 'Lyon' in city else 'unknown'"
    (finding,) = found("question_as_argument", source)
    assert finding.severity is Severity.LOW
    assert not found("question_as_argument")


def test_tools_without_golds_are_not_asked_for_golds(audit: Callable[..., TaskAudit]) -> None:
    audited = audit(others={"other": "def other(city):\n    return '522,250'"})
    assert not BLIND & {finding.probe for finding in audited.findings}
