"""Golds that can be read off without calling their tool."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ftrl.audit import Finding, Severity

Found = Callable[..., list[Finding]]


def test_golds_of_one_or_two_characters_are_short(found: Found) -> None:
    findings = found("short_gold", golds=("7", "no", "522"))
    assert [finding.gold for finding in findings] == ["7", "no"]


def test_a_gold_that_stands_twice_is_found(found: Found) -> None:
    (finding,) = found("repeated_gold", golds=("522,250", "320,732", "522,250"))
    assert finding.gold == "522,250"
    assert not found("repeated_gold", golds=("522,250", "320,732"))


def test_a_gold_in_the_question_is_found(found: Found) -> None:
    (finding,) = found("gold_in_question", golds=("Lyon",), question="Which is larger, Nantes or Lyon, by people?")
    assert finding.severity is Severity.LOW
    assert finding.evidence == "Which is larger, Nantes or Lyon, by people?"
    assert not found("gold_in_question", golds=("Paris",), question="Which city is the largest of France?")


def test_a_gold_in_a_document_is_worse_in_its_own(found: Found) -> None:
    telling = {"city": {"type": "string", "description": "The city, such as Lyon with its 522,250 people."}}
    (finding,) = found("gold_in_document", parameters=telling)
    assert (finding.severity, finding.evidence[:7]) == (Severity.LOW, "people:")
    listing = {"city": {"type": "string", "description": "The city.", "enum": ["Paris", "Lyon"]}}
    assert found("gold_in_document", golds=("Lyon",), parameters=listing)
    assert not found("gold_in_document")


def test_names_of_parameters_are_no_place_to_look_for_an_answer(found: Found) -> None:
    assert not found("gold_in_document", golds=("city",), parameters={"city": {"type": "string", "description": "?"}})


def test_another_tool_that_tells_a_gold_for_nothing_is_found(found: Found) -> None:
    (finding,) = found("gold_in_other_output", others={"help": "def help(city):\n    return 'Lyon has 522,250'"})
    assert finding.severity is Severity.HIGH
    assert (finding.tool, finding.gold) == ("people", "522,250")
    assert not found("gold_in_other_output", others={"help": "def help(city):\n    return 'no such city'"})


def test_a_golden_call_that_tells_the_gold_of_a_later_hop_is_found(found: Found) -> None:
    def capital(tells: str) -> dict[str, str]:
        return {"capital": f"def capital(city):\n    return {{'Rhône': 'Lyon{tells}'}}.get(city, 'unknown')"}

    hops = (("Lyon", "capital", {"city": "Rhône"}), ("522,250", "people", {"city": "Lyon"}))
    (finding,) = found("gold_in_other_output", others=capital(", 522,250 people"), golden=hops)
    assert finding.gold == "522,250"
    assert not found("gold_in_other_output", others=capital(""), golden=hops)


def test_an_answer_that_stands_in_the_question_is_paid_without_a_call(found: Found) -> None:
    asked = "Which has more people, Lyon or Nantes? Think of both."
    (finding,) = found("answer_in_question", question=asked, answer="Lyon")
    assert finding.pays == {"reference": 0.5, "strict": 0.0}  # the right answer, with one gold left open
    assert not found("answer_in_question", question=asked + "!", answer="522,250")
    assert not found("answer_in_question", question=asked + "?", answer=None)


@pytest.mark.parametrize("gold", ["Lyon, Nantes", "Nantes, Lyon"])
def test_all_parts_of_a_gold_count(found: Found, gold: str) -> None:
    assert found("gold_in_question", golds=(gold,), question=f"Lyon and Nantes ({gold[0]}): how many people?")
    assert not found("gold_in_question", golds=(gold,), question=f"Lyon ({gold[0]}): how many people?")


@pytest.mark.parametrize("answer", ["39", "1969", "no"])
def test_an_answer_that_one_fixed_text_holds_is_easy_to_guess(found: Found, answer: str) -> None:
    (finding,) = found("answer_guessed", answer=answer)
    assert finding.pays["reference"] == 0.5
    assert finding.pays["strict"] < 0.1
    assert not found("answer_guessed", answer="Roald Amundsen")
