"""The llm generator end to end: what is good becomes an environment, what is bad is rejected for what is bad in it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftrl.environments import EnvironmentStore, Scenario
from ftrl.errors import FtrlError, InputError
from ftrl.llm import ExchangeFolder, ledger
from ftrl.sandbox import Limits
from ftrl.synthesis import synthesize
from ftrl.synthesis.language_model import deploy
from ftrl.synthesis.language_model.generator import exchange_folder
from ftrl.synthesis.language_model.prompts import versions
from ftrl.synthesis.pipeline.journal import Journal
from tests.synthesis.language_model.scripted_model import Asked, Fault, birth_date_of, question_line

SINGLE, PARALLEL, DEEP, JOINED = range(4)
"""Questions of the four scenarios."""


def changed(change: Callable[[Any], Any]) -> Callable[[Asked, str], str]:
    """A fault's answer: the right one, parsed, changed in place."""

    def answer(asked: Asked, right: str) -> str:
        value = json.loads(right)
        made = change(value)
        return json.dumps(value if made is None else made)

    return answer


def at(stage: str, what: str = "") -> Callable[[Asked], bool]:
    """Requests of a stage about something, as often as they come."""
    return lambda asked: asked.stage == stage and what in asked.user


def test_every_good_question_becomes_an_environment_of_its_scenario(config, server):
    report = synthesize(config(*range(8)))
    assert report.accepted == 8
    store = EnvironmentStore.open(report.out)
    wanted = ["single_hop", "parallel_single_hop", "multi_hop", "parallel_multi_hop"]
    assert [environment.scenario.value for environment in store] == wanted * 2
    for index, environment in enumerate(store):
        line = question_line(index)
        assert (environment.question, environment.answer) == (line["question"], line["answer"])
        assert environment.provenance["index"] == index
        assert len(environment.tools) > len(environment.provenance["distractors"]) > 0
        assert environment.provenance["models"]["deploy"] == "openai-api/local/scripted"
        assert environment.provenance["prompts"]["deploy"] == versions("deploy")[0]
        assert environment.provenance["sent_back"] == {}


def test_spending_is_counted_to_the_token_per_stage_and_per_environment(config, server):
    made = config(DEEP, model={"price": {"input": 2.0, "output": 8.0}})
    totals = synthesize(made).ledger
    assert totals == ledger(ExchangeFolder(exchange_folder(made)))
    assert list(totals) == ["decompose", "deploy", "document", "integrate", "scale", "all"]
    assert (totals["all"].input, totals["all"].output) == (server.input_tokens, server.output_tokens)
    assert totals["all"].usd == pytest.approx((2 * server.input_tokens + 8 * server.output_tokens) / 1e6)
    costs = [environment.provenance["cost"] for environment in EnvironmentStore.open(made.out)]
    assert sum(cost["input"] + cost["output"] for cost in costs) == totals["all"].tokens


def test_answers_that_were_sent_back_are_counted_by_stage_and_reason(config, server):
    server.faults = [
        Fault(lambda asked: asked.stage == "document" and unmended(asked), lambda asked, right: right[:-9]),
        Fault(lambda asked: at("deploy", "must return")(asked) and unmended(asked), changed(_asked_first)),
        Fault(at("scale", "Bridge No. 4?"), lambda asked, right: "no"),
    ]
    made = config(SINGLE, SINGLE + 4)
    report = synthesize(made)
    counted = {stage.name: stage.sent_back for stage in report.stages if stage.sent_back}
    assert counted == {
        "document": {"answer_unreadable": 2},
        "scale": {"answer_unreadable": 3},
        "deploy": {"asked_for_first": 1},
    }
    (environment,) = EnvironmentStore.open(made.out)
    assert environment.provenance["sent_back"] == {
        "document": {"answer_unreadable": 1},
        "deploy": {"asked_for_first": 1},
    }
    (record,) = Journal(made.out).read()
    assert record.sent_back == {"document": {"answer_unreadable": 1}, "scale": {"answer_unreadable": 3}}


def first(asked: Asked) -> bool:
    return asked.seen == 0


def unmended(asked: Asked) -> bool:
    return asked.turns == 2


TRANSIENT: dict[str, tuple[int, Fault, str | None]] = {
    "rate_limit": (DEEP, Fault(first, status=429, headers={"retry-after": "0.1"}), None),
    "server_error": (JOINED, Fault(first, status=500), None),
    "cut_connection": (SINGLE, Fault(first, cut=True), None),
    "half_an_answer_at_first": (DEEP, Fault(unmended, lambda asked, right: right[: len(right) // 2]), None),
    "prose_at_first": (PARALLEL, Fault(unmended, lambda asked, right: "Happy to help!"), None),
    "token_limit_at_first": (SINGLE, Fault(unmended, stop="length"), None),
}
"""What a good question survives."""


def _leaking(user: str) -> Callable[[Any], None]:
    def change(form: Any) -> None:
        form["tools"][0]["description"] += f" For example {re.findall('→ (.+)', user)[0]}."

    return change


def _constant(form: Any, value: str) -> None:
    head = form["code"].split("\n    known")[0]
    name = re.search(r"def \w+\((\w+)", form["code"])
    assert name is not None
    checks = f"\n    if not isinstance({name[1]}, str):\n        raise TypeError('wrong')"
    form["code"] = f"{head}{checks}\n    return {{'value': {value!r}}}"


def _asked_first(form: Any) -> None:
    """Turns the data round: what is asked for is its last entry."""
    line = re.search(r"    known = (\{.*\})", form["code"])
    assert line is not None
    turned = dict(reversed(ast.literal_eval(line[1]).items()))
    form["code"] = form["code"].replace(line[1], repr(turned))


def _shortened(form: Any) -> str:
    """The arguments of the first call without the first word of its subject."""
    ((name, value),) = json.loads(form["calls"][0]["arguments"]).items()
    return json.dumps({name: value.partition(" ")[2]})


def _told(user: str) -> str:
    match = re.search(r"must return (.+)", user)
    assert match is not None
    return str(json.loads(match[1]))


DEFECTS: dict[str, tuple[int, Fault, str | None]] = {
    "not_json_at_all": (SINGLE, Fault(at("decompose"), answer=lambda asked, right: "no"), "answer_unreadable"),
    "half_an_answer": (SINGLE, Fault(at("document"), answer=lambda asked, right: right[:-9]), "answer_unreadable"),
    "wrong_ids": (
        DEEP,
        Fault(at("decompose"), answer=changed(lambda form: form["sub_questions"][1].update(depends_on=["q9"]))),
        "dependencies_not_acyclic",
    ),
    "positions_for_ids": (
        DEEP,
        Fault(at("decompose"), answer=changed(lambda form: form["conclusion"].update(of=["2"]))),
        "step_not_needed",
    ),
    "wrong_scenario": (
        DEEP,
        Fault(at("decompose"), answer=changed(lambda form: form.update(scenario="parallel_single_hop"))),
        "scenario_does_not_fit",
    ),
    "answer_as_a_sentence": (
        DEEP,
        Fault(
            at("decompose"),
            answer=changed(lambda form: form["sub_questions"][0].update(answer="A woman from here did it.")),
        ),
        "answer_not_a_value",
    ),
    "answer_that_does_not_follow": (
        PARALLEL,
        Fault(at("decompose"), answer=changed(lambda form: form["conclusion"].update(rule="difference"))),
        "answer_does_not_follow",
    ),
    "hop_that_tells_the_answer_before_it": (
        DEEP,
        Fault(
            at("decompose"),
            answer=changed(
                lambda form: form["sub_questions"][1].update(
                    text=f"When was {{q1}} born, that is {form['sub_questions'][0]['answer']}?"
                )
            ),
        ),
        "sub_question_tells_answer",
    ),
    "document_that_leaks": (
        SINGLE,
        Fault(at("document"), answer=lambda asked, right: changed(_leaking(asked.user))(asked, right)),
        "gold_in_document",
    ),
    "parameter_without_description": (
        SINGLE,
        Fault(
            at("document"),
            answer=changed(lambda form: form["tools"][0]["parameters"][0].update(description="")),
        ),
        "document_incomplete",
    ),
    "call_of_no_tool": (
        SINGLE,
        Fault(at("document"), answer=changed(lambda form: form["calls"][0].update(tool="get_anything"))),
        "unknown_tool",
    ),
    "hop_that_can_be_skipped": (
        DEEP,
        Fault(
            at("document"),
            answer=changed(lambda form: form["calls"][1].update(arguments=json.dumps({"person": "Velvet Lane 2"}))),
        ),
        "dependency_not_real",
    ),
    "merged_tool_that_lost_a_sub_question": (
        PARALLEL,
        Fault(
            at("integrate"),
            answer=changed(lambda form: form.update(tools=form["tools"][:1], calls=form["calls"][:1])),
        ),
        "step_without_call",
    ),
    "scaling_that_scales_nothing": (
        SINGLE,
        Fault(
            at("scale"),
            answer=changed(lambda form: form["tools"][0].update(parameters=form["tools"][0]["parameters"][:1])),
        ),
        "not_expanded",
    ),
    "ambiguous_golden_call": (
        SINGLE,
        Fault(
            at("distract"),
            answer=changed(
                lambda form: form["tools"][0].update(
                    name="get_length_of_bridge", description="Returns how long a bridge is."
                )
            ),
        ),
        "near_duplicate_tools",
    ),
    "too_few_distractors": (
        SINGLE,
        Fault(at("distract"), answer=changed(lambda form: form.update(tools=form["tools"][:1]))),
        "number_of_distractors",
    ),
    "code_that_lies": (
        SINGLE,
        Fault(
            at("deploy", "must return"),
            answer=lambda asked, right: right.replace(f"'{_told(asked.user)}'", "'12'"),
        ),
        "golden_call_misses",
    ),
    "constant_tool": (
        SINGLE,
        Fault(
            at("deploy", "must return"),
            answer=lambda asked, right: changed(lambda form: _constant(form, _told(asked.user)))(asked, right),
        ),
        "counterfactual_call_ticks",
    ),
    "signature_that_differs": (
        SINGLE,
        Fault(at("deploy"), answer=lambda asked, right: right.replace("rounding=0", "digits=0")),
        "signature_differs",
    ),
    "missing_validation": (
        SINGLE,
        Fault(
            at("deploy", "must return"),
            answer=lambda asked, right: right.replace("raise TypeError('verbose must be of type boolean')", "pass"),
        ),
        "accepts_bad_arguments",
    ),
    "code_that_never_ends": (
        SINGLE,
        Fault(
            at("deploy", "must return"),
            answer=lambda asked, right: right.replace("    wanted =", "    while True:\\n        pass\\n    wanted ="),
        ),
        "golden_call_fails",
    ),
    "code_that_reads_files": (
        SINGLE,
        Fault(
            at("deploy"),
            answer=lambda asked, right: right.replace("    wanted =", "    open('/etc/passwd')\\n    wanted ="),
        ),
        "code_forbidden",
    ),
    "code_that_differs_each_time": (
        SINGLE,
        Fault(
            at("deploy", "must return"),
            answer=lambda asked, right: right.replace("'value': value}", "'value': value, 'at': str(id(object()))}"),
        ),
        "not_deterministic",
    ),
    "distractor_that_returns_a_gold": (
        SINGLE,
        Fault(
            at("deploy", "stands beside others"),
            answer=lambda asked, right: re.sub(
                "'Alder Span': '.*?'", f"'Alder Span': '{question_line(4 * GOLD_PLACE)['answer']}'", right
            ),
        ),
        "distractor_call_ticks",
    ),
    "call_that_leaves_a_name_out": (
        SINGLE,
        Fault(at("document"), answer=changed(lambda form: form["calls"][0].update(arguments=_shortened(form)))),
        "name_not_in_call",
    ),
    "entry_asked_for_first": (
        SINGLE,
        Fault(at("deploy", "must return"), answer=changed(_asked_first)),
        "asked_for_first",
    ),
    "option_that_tells_what_another_call_is_for": (
        DEEP,
        Fault(
            at("deploy", "get_film_director"),
            answer=lambda asked, right: right.replace(
                "'value': value}",
                f"'value': value, 'born': '{birth_date_of(_told(asked.user))}' if verbose else ''}}",
            ),
        ),
        "option_call_ticks",
    ),
    "no_other_calls": (
        SINGLE,
        Fault(at("deploy"), answer=changed(lambda form: form.update(other_calls=form["other_calls"][:1]))),
        "too_few_other_calls",
    ),
}


def test_every_bad_product_is_rejected_for_what_is_bad_in_it_and_every_good_question_accepted(
    config, server, monkeypatch
):
    monkeypatch.setattr(deploy, "_LIMITS", Limits(seconds=1.0))  # for the code that never ends
    expected: dict[int, str | None] = {}
    indices = []
    for place, (name, (scenario, fault, rule)) in enumerate({**DEFECTS, **TRANSIENT}.items()):
        index = 4 * place + scenario
        server.faults.append(_only(fault, index, name))
        indices += [index, 4 * (place + 100) + scenario]  # a good one of the same shape beside it
        expected[len(indices) - 2] = rule
    server.faults.append(Fault(at("distract", f"Bridge No. {4 * GOLD_PLACE}?"), answer=changed(_edition_b)))
    made = config(*indices)
    report = synthesize(made)
    found = {record.item: (record.rule, record.detail) for record in Journal(made.out).read()}
    told = {list({**DEFECTS, **TRANSIENT})[item // 2]: found.get(item) for item in expected}
    wrong = {name: told[name] for item, name in enumerate(told) if (told[name] or (None,))[0] != expected[2 * item]}
    assert not wrong
    assert set(found) == {item for item, rule in expected.items() if rule}
    assert report.accepted == 2 * len(expected) - len(found)
    questions = [environment.question for environment in EnvironmentStore.open(made.out)]
    assert questions == [question_line(indices[item])["question"] for item in range(len(indices)) if item not in found]


def _only(fault: Fault, index: int, name: str) -> Fault:
    """The fault, for requests about one question."""
    always = fault.when
    about = ["Edition B."] if name == "distractor_that_returns_a_gold" else names_of(index)
    return replace(fault, when=lambda asked: always(asked) and any(each in asked.user for each in about))


def names_of(index: int) -> list[str]:
    """What only this question is about."""
    found = re.findall(r"\w+ (?:Bridge No\.|Tower|Lane|Year) \d+", question_line(index)["question"])
    return [f"{each}{end}" for each in found for end in ('"', "?", " ", "\\", "'")]


def _edition_b(form: Any) -> None:
    form["tools"][0]["description"] += " Edition B."


GOLD_PLACE = list(DEFECTS).index("distractor_that_returns_a_gold")


def test_a_server_that_is_down_leaves_nothing_undone_for_good(config, server):
    server.faults = [Fault(at("scale"), status=500)]
    made = config(SINGLE, DEEP)
    with pytest.raises(FtrlError, match="can't be asked"):
        synthesize(made)
    assert list(Journal(made.out).read()) == []
    server.faults = []
    assert synthesize(made).accepted == 2
    assert max(server.answered.values()) == 1


def test_a_budget_ends_a_run_in_good_order_and_more_of_it_goes_on(config, server):
    whole = synthesize(config(SINGLE, PARALLEL, DEEP, out="whole"))
    cost = server.input_tokens + server.output_tokens
    server.answered.clear()
    with pytest.raises(FtrlError, match=r"tokens are spent.*--resume"):
        synthesize(config(SINGLE, PARALLEL, DEEP, budget_tokens=cost // 2))
    more = synthesize(config(SINGLE, PARALLEL, DEEP, budget_tokens=2 * cost))
    assert max(server.answered.values()) == 1
    ids = [environment.id for environment in EnvironmentStore.open(more.out)]
    assert ids == [environment.id for environment in EnvironmentStore.open(whole.out)]


def test_a_changed_prompt_asks_anew_from_its_stage_on(config, server, tmp_path):
    shared = str(tmp_path / "exchanges")
    synthesize(config(DEEP, exchanges=shared, prompts={"deploy": "deploy.v1"}))
    before = len(server.requests)
    synthesize(config(DEEP, out="other", exchanges=shared))
    assert {asked.stage for asked in server.requests[before:]} == {"deploy"}


def test_documents_become_questions_that_become_environments(config, server, tmp_path):
    text = tmp_path / "bridges.md"
    text.write_text(
        " ".join(f"{question_line(index)['question']} {question_line(index)['answer']}." for index in range(9))
    )
    made = config(documents=(str(text),)).model_copy(update={"scenarios": (Scenario.SINGLE_HOP,), "count": 2})
    report = synthesize(made)
    assert report.accepted == 2
    assert EnvironmentStore.open(made.out)[0].provenance["prompts"]["pose"] == "pose_from_document.v1"


def test_topics_become_questions_that_become_environments(config, server, tmp_path):
    topics = tmp_path / "topics.txt"
    topics.write_text("bridges\n\n")
    made = config(topics=str(topics)).model_copy(update={"scenarios": (Scenario.SINGLE_HOP,), "count": 1})
    assert synthesize(made).accepted == 1


def test_a_role_has_the_model_that_it_is_given(config, server):
    strong = {"model": "openai-api/local/strong", "base_url": server.url, "retries": 0}
    synthesize(config(SINGLE, models={"deploy": strong}))
    models = {(asked.stage, body["model"]) for asked, body in zip(server.requests, server.bodies, strict=True)}
    needed = [body["model"] for body in server.bodies if "must return" in body["messages"][1]["content"]]
    assert set(needed) == {"strong"}
    assert {model for stage, model in models if stage != "deploy"} == {"scripted"}


@pytest.mark.parametrize(
    "verdict", ["sound, I'd say", json.dumps({"reason": "Two tools say the same.", "sound": False})]
)
def test_a_judge_who_objects_or_cant_be_understood_lets_nothing_pass(config, server, verdict):
    server.faults = [
        Fault(lambda asked: asked.stage == "judge" and "Bridge No. 0" in asked.user, lambda asked, right: verdict)
    ]
    made = config(SINGLE, SINGLE + 4, judge=True)
    assert synthesize(made).accepted == 1
    (record,) = Journal(made.out).read()
    assert record.rule == ("judged_unsound" if verdict.startswith("{") else "answer_unreadable")


def test_without_scaling_tools_stay_as_they_are(config, server):
    scaling = {"generalise": 0, "expand": 0, "retype": 0, "distractors": 0, "near_misses": 0}
    made = config(SINGLE, scaling=scaling)
    synthesize(made)
    (environment,) = EnvironmentStore.open(made.out)
    assert [tool["function"]["name"] for tool in environment.tools] == ["get_bridge_length"]
    assert {asked.stage for asked in server.requests} == {"decompose", "document", "deploy"}


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('{"answer": "1"}', "question"),
        ('{"question": "?", "answer": ""}', "answer"),
        ('{"question": "?", "answer": "1", "scenario": "easy"}', "scenario"),
    ],
)
def test_a_broken_line_of_questions_is_refused_with_file_line_and_field(config, line, field):
    made = config(SINGLE)
    path = made.language_model.questions
    Path(path).write_text(Path(path).read_text() + line + "\n")
    with pytest.raises(InputError) as raised:
        synthesize(made)
    assert (raised.value.file, raised.value.line, raised.value.field) == (path, 2, field)
