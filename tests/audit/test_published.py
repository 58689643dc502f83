"""The audit of the 100 published tasks, and of the calls recorded on them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftrl.audit import TaskAudit, audit_tasks
from ftrl.audit.reach import unreachable_word
from ftrl.audit.source import read_source
from ftrl.environments import open_tasks

KNOWING_NOTHING = ("no_arguments", "nonsense_arguments", "wrong_types", "wildcard")
CHOOSING = "every_choice"
"""A value from each list of the document, nonsense for the rest."""


@pytest.fixture(scope="module")
def audits(shared: Path) -> list[TaskAudit]:
    return list(audit_tasks(open_tasks(str(shared / "data" / "ftrl_test_dev100.jsonl")), workers=2))


def golds(audits: list[TaskAudit], *probes: str) -> set[tuple[int, str | None, str | None]]:
    """Golds that these probes name: (row, tool, value)."""
    return {
        (audited.row, finding.tool, finding.gold)
        for audited in audits
        for finding in audited.findings
        if finding.probe in probes
    }


def pairs(audits: list[TaskAudit], probe: str, profile: str | None = None) -> int:
    """Findings of a probe; with a profile, those for which it would pay a tick."""
    found = [finding for audited in audits for finding in audited.findings if finding.probe == probe]
    return sum(profile is None or finding.pays[profile] >= 0.5 for finding in found)


def test_the_error_text_names_every_gold_and_the_reference_alone_pays_for_it(audits: list[TaskAudit]) -> None:
    assert sum(audited.golds for audited in audits) == 420
    # Two golds stand twice. No tool takes any name, so each one refuses its gold by repeating it.
    assert pairs(audits, "repeated_gold") == 2
    assert pairs(audits, "gold_as_name") == pairs(audits, "gold_as_name", "reference") == 418
    assert pairs(audits, "gold_as_name", "strict") == 0


def test_one_fixed_name_knows_golds_without_knowing_anything(audits: list[TaskAudit]) -> None:
    assert (pairs(audits, "guess_as_name", "reference"), pairs(audits, "guess_as_name", "strict")) == (42, 0)


def test_some_golds_come_back_for_calls_that_know_nothing(audits: list[TaskAudit]) -> None:
    assert {probe: len(golds(audits, probe)) for probe in (*KNOWING_NOTHING, CHOOSING)} == {
        "no_arguments": 13,
        "nonsense_arguments": 3,
        "wrong_types": 1,
        "wildcard": 2,
        "every_choice": 21,
    }
    assert len(golds(audits, *KNOWING_NOTHING)) == 15
    assert len(golds(audits, *KNOWING_NOTHING, CHOOSING)) == 23


def test_many_tools_say_the_gold_when_they_are_told_it_and_strict_does_not_pay(audits: list[TaskAudit]) -> None:
    assert (pairs(audits, "echo", "reference"), pairs(audits, "echo", "strict")) == (183, 0)


def test_no_profile_pays_for_a_time_out_though_the_published_text_would_hold_the_gold(audits: list[TaskAudit]) -> None:
    assert pairs(audits, "time_out_text") == 409
    assert pairs(audits, "time_out_text", "reference") == pairs(audits, "time_out_text", "strict") == 0


def test_figures_of_what_can_be_read_off(audits: list[TaskAudit]) -> None:
    counts = {probe: pairs(audits, probe) for probe in ("short_gold", "signature_differs", "answer_in_question")}
    assert counts == {"short_gold": 29, "signature_differs": 23, "answer_in_question": 18}


def test_no_published_gold_is_called_unreachable_and_the_one_constant_tool_is_one(audits: list[TaskAudit]) -> None:
    assert not golds(audits, "unreachable_gold", "missing_code", "stopped_tool", "same_task")
    assert golds(audits, "constant_tool") == {(44, "war_hero_identifier", None)}


def test_no_recorded_output_holds_a_word_that_its_tool_was_said_to_be_unable_to_return(shared: Path) -> None:
    tasks = open_tasks(str(shared / "data" / "ftrl_test_dev100.jsonl"))
    sources = [tasks.sources(environment) for environment in tasks]
    looked_at = 0
    for line in (shared / "golden" / "calls_dev.jsonl").read_text().splitlines():
        call = json.loads(line)
        source = sources[call["task"]].get(call["name"])
        if source is None or call["is_error"] or call["timed_out"]:
            continue
        read = read_source(call["name"], source)
        looked_at += unreachable_word(read, "zyzzyva") is not None  # closed: it can't return just any word
        assert unreachable_word(read, call["output"]) is None, call["id"]
    assert looked_at > 1000
