"""Every known defect is put into a sound candidate; verification must name it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ftrl.environments import Scenario
from ftrl.synthesis import SynthesisConfig
from ftrl.synthesis.candidate import Candidate
from ftrl.synthesis.tables.generator import build
from ftrl.synthesis.tables.world import World
from ftrl.synthesis.verify import Rejection, Verified, verify


def with_environment(candidate: Candidate, **fields: Any) -> Candidate:
    return replace(candidate, environment=candidate.environment.model_copy(update=fields))


def with_source(candidate: Candidate, tool: str, change: Callable[[str], str]) -> Candidate:
    deployment = candidate.deployments[tool]
    source = change(deployment.source)
    assert source != deployment.source, "the defect was not put in"
    return replace(candidate, deployments={**candidate.deployments, tool: replace(deployment, source=source)})


def with_document(candidate: Candidate, tool: str, **fields: Any) -> Candidate:
    tools = tuple(
        {**document, "function": {**document["function"], **fields}}
        if document["function"]["name"] == tool
        else document
        for document in candidate.environment.tools
    )
    return with_environment(candidate, tools=tools)


def first_lines(body: str) -> Callable[[str], str]:
    """Puts a line in front of a function's code, behind its signature and docstring."""

    def change(source: str) -> str:
        lines = source.splitlines(keepends=True)
        return "".join([*lines[:2], f"    {body}\n", *lines[2:]])

    return change


def without(start: str) -> Callable[[str], str]:
    """Removes a check: the line that starts so, and the raise below it."""

    def change(source: str) -> str:
        lines = source.splitlines(keepends=True)
        at = next(i for i, line in enumerate(lines) if line.strip().startswith(start))
        return "".join(lines[:at] + lines[at + 2 :])

    return change


def distractor(candidate: Candidate) -> str:
    golden = {step.tool for step in candidate.environment.trace}
    return next(name for name in candidate.deployments if name not in golden)


def constant_tool(made: Candidate) -> Candidate:
    step = made.environment.trace[0]
    return with_source(made, step.tool, first_lines(f"return {{'answer': '{step.answer}'}}"))


def constant_tool_that_validates(made: Candidate) -> Candidate:
    step = made.environment.trace[0]
    return with_source(
        made, step.tool, lambda source: source[: source.rindex("    return")] + f"    return '{step.answer}'\n"
    )


def lying_tool(made: Candidate) -> Candidate:
    step = made.environment.trace[0]
    return with_source(made, step.tool, lambda source: source.replace(step.answer, "Somebody Else"))


def tool_that_differs_each_time(made: Candidate) -> Candidate:
    # By no import: where objects lie in memory.
    def change(source: str) -> str:
        start, _, returned = source.rpartition("return ")
        return f"{start}return [{returned.strip()}, [id(o) for o in [object() for _ in range(200)]]]\n"

    return with_source(made, made.environment.trace[-1].tool, change)


def slow_tool(made: Candidate) -> Candidate:
    step = made.environment.trace[0]
    ((name, subject),) = step.arguments.items()
    return with_source(made, step.tool, first_lines(f"{name} == '{subject}' and sum(range(20_000_000))"))


def tool_that_exits(made: Candidate) -> Candidate:
    return with_source(made, made.environment.trace[0].tool, first_lines("raise SystemExit"))


def tool_that_takes_a_list_for_a_name(made: Candidate) -> Candidate:
    step = made.environment.trace[0]
    name = next(iter(step.arguments))
    return with_source(made, step.tool, first_lines(f"{name} = {name}[0] if isinstance({name}, list) else {name}"))


def tool_that_takes_anybody(made: Candidate) -> Candidate:
    def change(source: str) -> str:
        name = source.partition(" = {")[0].rpartition(" ")[2]
        return without(f"if key not in {name}")(source).replace(f"{name}[key]", f"{name}.get(key)")

    return with_source(made, made.environment.trace[0].tool, change)


def error_that_tells_the_gold(made: Candidate) -> Candidate:
    step = made.environment.trace[0]
    return with_source(
        made, step.tool, lambda s: s.replace('raise LookupError("', f'raise LookupError("did you mean {step.answer}? ')
    )


def distractor_that_returns_a_gold(made: Candidate) -> Candidate:
    gold = made.environment.golds[-1].value
    return with_source(
        made, distractor(made), lambda source: source[: source.rindex("    return")] + f"    return '{gold}'\n"
    )


def distractor_that_does_not_work(made: Candidate) -> Candidate:
    return with_source(made, distractor(made), first_lines("raise RuntimeError('out of order')"))


def signature_that_differs(made: Candidate) -> Candidate:
    step = made.environment.trace[0]
    argument = next(iter(step.arguments))
    return with_source(made, step.tool, lambda source: source.replace(f"({argument})", f"({argument}, year=None)", 1))


def source_that_does_not_parse(made: Candidate) -> Candidate:
    return with_source(made, made.environment.trace[0].tool, lambda source: source.replace("):", ")", 1))


def source_with_more_than_the_function(made: Candidate) -> Candidate:
    return with_source(made, made.environment.trace[0].tool, lambda source: source + "\nprint('done')\n")


def tool_that_imports(made: Candidate) -> Candidate:
    return with_source(made, made.environment.trace[0].tool, first_lines("import random"))


def tool_that_evaluates(made: Candidate) -> Candidate:
    return with_source(made, made.environment.trace[0].tool, first_lines("eval('1')"))


def gold_in_the_question(made: Candidate) -> Candidate:
    text = f"{made.environment.question} (It is {made.environment.golds[-1].value}.)"
    return with_environment(made, question=text)


def intermediate_gold_in_the_question(made: Candidate) -> Candidate:
    text = f"{made.environment.question} (By way of {made.environment.golds[0].value}.)"
    return with_environment(made, question=text)


def gold_in_a_document(made: Candidate) -> Candidate:
    step = made.environment.trace[-1]
    return with_document(made, step.tool, description=f"Looks things up, for example {step.answer}.")


def argument_in_a_document(made: Candidate) -> Candidate:
    step = made.environment.trace[0]
    subject = next(iter(step.arguments.values()))
    return with_document(made, step.tool, description=f"Looks things up, for example of {subject}.")


def parameter_without_description(made: Candidate) -> Candidate:
    step = made.environment.trace[0]
    argument = next(iter(step.arguments))
    parameters = {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]}
    return with_document(made, step.tool, parameters=parameters)


def question_about_something_else(made: Candidate) -> Candidate:
    subject = next(iter(made.environment.trace[0].arguments.values()))
    return with_environment(made, question=made.environment.question.replace(subject, "Nowhere"))


def hop_that_is_not_needed(made: Candidate) -> Candidate:
    first, second = made.environment.trace
    second = second.model_copy(update={"arguments": dict.fromkeys(second.arguments, "Some Name")})
    return with_environment(made, trace=(first, second))


def hop_that_can_be_skipped(made: Candidate) -> Candidate:
    first, second = made.environment.trace
    subject = next(iter(first.arguments.values()))
    entry = f'        "{subject}": "{second.answer}",\n'
    return with_source(made, second.tool, lambda source: source.replace(" = {\n", f" = {{\n{entry}", 1))


def dependency_that_is_missing(made: Candidate) -> Candidate:
    first, second = made.environment.trace
    return with_environment(made, trace=(first, second.model_copy(update={"depends_on": ()})))


def dependencies_in_a_circle(made: Candidate) -> Candidate:
    first, second = made.environment.trace
    return with_environment(made, trace=(first.model_copy(update={"depends_on": (second.id,)}), second))


def sub_question_that_tells_the_answer_before(made: Candidate) -> Candidate:
    first, second = made.environment.trace
    text = second.text.replace("that", f"{first.answer}, that")
    return with_environment(made, trace=(first, second.model_copy(update={"text": text})))


DEFECTS = [
    (constant_tool, "counterfactual_call_ticks"),
    (constant_tool_that_validates, "counterfactual_call_ticks"),
    (lying_tool, "golden_call_misses"),
    (tool_that_differs_each_time, "not_deterministic"),
    (slow_tool, "too_slow"),
    (tool_that_exits, "golden_call_fails"),
    (tool_that_takes_a_list_for_a_name, "accepts_bad_arguments"),
    (tool_that_takes_anybody, "accepts_bad_arguments"),
    (error_that_tells_the_gold, "error_call_ticks"),
    (distractor_that_returns_a_gold, "distractor_call_ticks"),
    (distractor_that_does_not_work, "distractor_call_fails"),
    (signature_that_differs, "signature_differs"),
    (source_that_does_not_parse, "code_does_not_parse"),
    (source_with_more_than_the_function, "not_one_function"),
    (tool_that_imports, "code_imports"),
    (tool_that_evaluates, "code_forbidden"),
    (gold_in_the_question, "gold_in_question"),
    (intermediate_gold_in_the_question, "gold_in_question"),
    (gold_in_a_document, "gold_in_document"),
    (argument_in_a_document, "argument_in_document"),
    (parameter_without_description, "document_incomplete"),
    (question_about_something_else, "argument_not_in_question"),
    (hop_that_is_not_needed, "dependency_not_real"),
    (hop_that_can_be_skipped, "distractor_call_ticks"),
    (dependency_that_is_missing, "scenario_does_not_fit"),
    (dependencies_in_a_circle, "dependencies_not_acyclic"),
    (sub_question_that_tells_the_answer_before, "sub_question_tells_answer"),
]


@pytest.mark.parametrize(("defect", "rule"), DEFECTS, ids=[defect.__name__ for defect, _ in DEFECTS])
def test_a_defect_is_rejected_by_its_rule(candidate, sandbox, defect, rule):
    # Index 1 is a two-hop question whose last answer is a name in this world.
    sound = candidate(Scenario.MULTI_HOP, 1)
    before, after, also = verify([sound, defect(sound), sound], sandbox)
    assert isinstance(before, Verified)
    assert isinstance(after, Rejection)
    assert after.rule == rule, after.detail
    assert isinstance(also, Verified), "a rejection beside it must not touch a sound candidate"


def test_a_tool_that_answers_for_two_sub_questions_with_both_answers_is_rejected(sandbox):
    config = SynthesisConfig(out="unused", scenarios=(Scenario.PARALLEL_SINGLE_HOP,))
    made = next(
        c
        for c in (build(config, World(0, "train"), i, 0) for i in range(20))
        if len({s.tool for s in c.environment.trace}) == 1
    )
    first, second = made.environment.trace
    both = with_source(
        made, first.tool, lambda s: s[: s.rindex("    return")] + f"    return '{first.answer} {second.answer}'\n"
    )
    verdict = verify([both], sandbox)[0]
    assert isinstance(verdict, Rejection)
    assert verdict.rule == "golden_call_ticks"


@pytest.mark.parametrize("style", ["compact", "rich"])
def test_sound_candidates_are_accepted(sandbox, style):
    config = SynthesisConfig(out="unused", style=style, seed=11)
    verdicts = verify([build(config, World(11, "train"), index, 0) for index in range(40)], sandbox)
    assert sum(isinstance(verdict, Verified) for verdict in verdicts) >= 38, verdicts


def test_a_verified_candidate_says_how_many_calls_of_each_purpose_proved_it(candidate, sandbox):
    verdict = verify([candidate()], sandbox)[0]
    assert isinstance(verdict, Verified)
    assert verdict.calls["golden"] == 2
    assert set(verdict.calls) == {"golden", "counterfactual", "distractor", "error"}
    assert all(verdict.calls.values())
