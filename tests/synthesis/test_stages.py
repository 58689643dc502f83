"""When a stage's product is accepted: each rule, whoever made the product."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from ftrl.environments import Scenario
from ftrl.environments.schema import SubQuestion
from ftrl.synthesis.conclusion import Conclusion, Rule, Step, conclusion_broken
from ftrl.synthesis.decompose import Decomposition, decomposition_broken
from ftrl.synthesis.deploy import asked_first, code_broken
from ftrl.synthesis.document import GoldenCall, Toolset, near_duplicates, toolset_broken
from ftrl.synthesis.finding import tells
from ftrl.synthesis.integrate import integration_broken
from ftrl.synthesis.names import names_broken, names_in
from ftrl.synthesis.scale import Scaling, extension_broken, scaling_broken
from ftrl.synthesis.verify_calls import option_checks

STEPS = (
    Step(id="q1", text="Who directed Amber Coast?", answer="Ilse Brandt"),
    Step(id="q2", text="When was {q1} born?", answer="1931-05-02", depends_on=("q1",)),
)
MADE = Decomposition(
    question="When was the director of Amber Coast born?",
    answer="1931-05-02",
    scenario=Scenario.MULTI_HOP,
    steps=STEPS,
    conclusion=Conclusion(rule=Rule.SAME_AS, steps=("q2",)),
)


def rule_of(finding: tuple[str, str] | None) -> str | None:
    return finding[0] if finding else None


def tool(name: str, description: str, *parameters: str, **changed: Any) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {each: {"type": "string", "description": f"The {each}."} for each in parameters},
        "required": list(parameters[:1]),
        **changed,
    }
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


TOOLS = Toolset(
    decomposition=MADE,
    tools=(
        tool("get_director", "Finds out who directed a film.", "film"),
        tool("get_birth_date", "Tells when somebody was born.", "person"),
    ),
    calls=(
        GoldenCall(step="q1", tool="get_director", arguments={"film": "Amber Coast"}),
        GoldenCall(step="q2", tool="get_birth_date", arguments={"person": "Ilse Brandt"}),
    ),
)


# Telling


@pytest.mark.parametrize(
    ("text", "value", "told"),
    [
        ("in 2010 it was", "1", False),
        ("it has 1 arch", "1", True),
        ("from 1,410 metres on", "1410", True),
        ("the Brandenburg Gate", "Brand", True),
        ("the Brandenburg Gate", "Bra", False),
    ],
)
def test_a_short_value_is_told_as_a_value_and_a_long_one_anywhere(text, value, told):
    assert tells(text, value) is told


# Conclusions


def asked(*answers: str) -> tuple[Step, ...]:
    return tuple(Step(id=f"q{n}", text=f"What of thing {n}0?", answer=answer) for n, answer in enumerate(answers, 1))


@pytest.mark.parametrize(
    ("rule", "answers", "right", "wrong"),
    [
        (Rule.SAME_AS, ("1,410",), "1410", "1411"),
        (Rule.LIST, ("Ada", "Bo"), "Ada and Bo", "Ada"),
        (Rule.LARGEST, ("6,650 km", "6,400 km"), "6650", "6400"),
        (Rule.SMALLEST, ("-3", "2.5"), "-3", "2.5"),
        (Rule.LATEST, ("20 July 1969", "1969-07-19"), "20 July 1969", "1969-07-19"),
        (Rule.EARLIEST, ("1969", "May 1, 1968"), "May 1, 1968", "1969"),
        (Rule.EARLIEST, ("18:05", "9:30"), "9:30", "18:05"),
        (Rule.OF_LARGEST, ("9", "10"), "thing 20", "thing 10"),
        (Rule.OF_EARLIEST, ("1931-05-02", "1948-11-19"), "thing 10", "thing 20"),
        (Rule.SUM, ("626", "620", "527"), "1773", "1774"),
        (Rule.DIFFERENCE, ("1629", "1738"), "109 years", "-109 years"),
        (Rule.DIFFERENCE, ("1969-07-20", "1969-07-16"), "4", "5"),
        (Rule.PRODUCT, ("3", "0.5"), "1.5", "1.4"),
        (Rule.RATIO, ("10", "3"), "3.33", "3.34"),
        (Rule.AVERAGE, ("1", "2"), "1.5", "1.6"),
        (Rule.ALL_EQUAL, ("Oslo", "oslo"), "yes", "no"),
        (Rule.ALL_EQUAL, ("Oslo", "Bergen"), "No", "Yes"),
    ],
)
def test_an_answer_follows_by_its_rule_and_another_does_not(rule, answers, right, wrong):
    steps = asked(*answers)
    conclusion = Conclusion(rule=rule, steps=tuple(step.id for step in steps))
    assert list(conclusion_broken(right, conclusion, steps)) == []
    assert [name for name, _ in conclusion_broken(wrong, conclusion, steps)] == ["answer_does_not_follow"]


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        (Rule.SAME_AS, ("q1", "q2")),
        (Rule.SUM, ("q1",)),
        (Rule.SUM, ("q1", "q1")),
        (Rule.RATIO, ()),
        (Rule.LIST, ("q1", "q9")),
    ],
)
def test_a_conclusion_takes_as_many_sub_questions_as_its_rule_and_only_real_ones(rule, names):
    found = conclusion_broken("3", Conclusion(rule=rule, steps=names), asked("1", "2"))
    assert [name for name, _ in found] == ["answer_does_not_follow"]


def test_what_a_value_belongs_to_may_be_found_further_up_the_chain():
    steps = (
        Step(id="q1", text="Who directed Amber Coast?", answer="Ilse Brandt"),
        Step(id="q2", text="Who directed Nine Lanterns?", answer="Omar Feld"),
        Step(id="q3", text="When was {q1} born?", answer="1931", depends_on=("q1",)),
        Step(id="q4", text="When was {q2} born?", answer="1948", depends_on=("q2",)),
    )
    conclusion = Conclusion(rule=Rule.OF_EARLIEST, steps=("q3", "q4"))
    for right in ("Ilse Brandt", "Amber Coast"):
        assert list(conclusion_broken(right, conclusion, steps)) == []
    assert list(conclusion_broken("Omar Feld", conclusion, steps))


# Decomposition


def test_a_sound_decomposition_is_accepted():
    assert decomposition_broken(MADE) is None


def stepping(place: int, **changed: Any) -> dict[str, Any]:
    steps = list(STEPS)
    steps[place] = steps[place].model_copy(update=changed)
    return {"steps": tuple(steps)}


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"scenario": Scenario.SINGLE_HOP}, "scenario_does_not_fit"),
        ({"steps": STEPS[::-1]}, "dependencies_not_acyclic"),
        (stepping(1, depends_on=("q2",)), "dependencies_not_acyclic"),
        (stepping(1, id="q1"), "bad_step_id"),
        (stepping(1, id="second one"), "bad_step_id"),
        (stepping(1, text="When was the director born?"), "dependency_not_real"),
        (stepping(1, text="When was {q1} of {q7} born?"), "dependency_not_real"),
        (stepping(1, text="When was {q1}, or Ilse Brandt, born?"), "sub_question_tells_answer"),
        (stepping(0, text="Who but Ilse Brandt directed Amber Coast?"), "sub_question_tells_answer"),
        (stepping(0, answer="It was directed by Ilse Brandt."), "answer_not_a_value"),
        (stepping(0, answer="a " * 70), "answer_not_a_value"),
        (stepping(0, answer="unknown"), "answer_says_nothing"),
        (stepping(0, answer="1931-05-02"), "same_answer_twice"),
        (stepping(0, answer="Amber"), "sub_question_tells_answer"),
        ({"question": "When was Ilse Brandt, director of Amber Coast, born?"}, "gold_in_question"),
        ({"answer": "1931-05-03"}, "answer_does_not_follow"),
        ({"conclusion": Conclusion(rule=Rule.SAME_AS, steps=("q1",)), "answer": "Ilse Brandt"}, "step_not_needed"),
    ],
)
def test_a_decomposition_is_rejected_by_its_rule(changed, rule):
    assert rule_of(decomposition_broken(MADE.model_copy(update=changed))) == rule


# Documents and calls


def test_a_sound_toolset_is_accepted():
    assert toolset_broken(TOOLS) is None


def documents(place: int, change: Any) -> dict[str, Any]:
    tools = copy.deepcopy(TOOLS.tools)
    change(tools[place]["function"])
    return {"tools": tools}


def calling(place: int, **changed: Any) -> dict[str, Any]:
    calls = list(TOOLS.calls)
    calls[place] = calls[place].model_copy(update=changed)
    return {"calls": tuple(calls)}


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        (documents(0, lambda function: function.update(name="get_birth_date")), "same_tool_name"),
        (documents(0, lambda function: function.update(name="get director")), "document_incomplete"),
        (documents(0, lambda function: function.update(name="class")), "document_incomplete"),
        (documents(0, lambda function: function["parameters"].update(type="thing")), "not_a_json_schema"),
        (documents(0, lambda function: function["parameters"]["required"].append("year")), "document_incomplete"),
        (documents(0, lambda function: function["parameters"]["properties"].update(film={})), "document_incomplete"),
        (documents(0, lambda function: function.update(description="As for Ilse Brandt.")), "gold_in_document"),
        (documents(0, lambda function: function.update(description="As for Amber Coast.")), "argument_in_document"),
        ({"calls": TOOLS.calls[:1]}, "step_without_call"),
        ({"calls": (*TOOLS.calls, TOOLS.calls[0])}, "step_without_call"),
        (calling(0, tool="get_anything"), "unknown_tool"),
        ({"distractors": ("get_director",)}, "unknown_tool"),
        (calling(0, arguments={"film": 7}), "golden_call_invalid"),
        (calling(0, arguments={"title": "Amber Coast"}), "golden_call_invalid"),
        (calling(0, arguments={"film": "Amber Coast", "year": "1961"}), "golden_call_invalid"),
        (calling(0, arguments={"film": "Nine Lanterns"}), "argument_not_given"),
        (calling(0, arguments={"film": "1931-05-02"}), "argument_not_given"),
        (calling(1, arguments={"person": "Brandt"}), "dependency_not_real"),
        (calling(1, arguments={"person": "Amber Coast"}), "dependency_not_real"),
    ],
)
def test_a_toolset_is_rejected_by_its_rule(changed, rule):
    assert rule_of(toolset_broken(TOOLS.model_copy(update=changed))) == rule


def test_a_date_may_be_written_another_way_than_in_the_question():
    made = MADE.model_copy(update={"question": "What of Amber Coast on July 20, 1969? And who directed it?"})
    calls = calling(0, arguments={"film": "Amber Coast", "day": "1969-07-20"})
    tools = (tool("get_director", "Finds out who directed a film.", "film", "day"), TOOLS.tools[1])
    assert toolset_broken(TOOLS.model_copy(update={"decomposition": made, "tools": tools, **calls})) is None


def test_a_choice_of_the_document_may_be_an_argument_and_may_stand_in_the_document():
    def chosen(function: dict[str, Any]) -> None:
        function["parameters"]["properties"]["detail"] = {
            "type": "string",
            "description": "What to return.",
            "enum": ["Director", "Composer"],
        }

    calls = calling(0, arguments={"film": "Amber Coast", "detail": "Director"})
    assert toolset_broken(TOOLS.model_copy(update={**documents(0, chosen), **calls})) is None


def test_what_one_tool_lets_choose_may_stand_in_the_document_of_another():
    def choosing(function: dict[str, Any]) -> None:
        function["parameters"]["properties"]["by"] = {
            "type": "string",
            "description": "By whom.",
            "enum": ["main_crew"],
        }

    tools = documents(0, choosing)["tools"]
    tools[1]["function"]["name"] = "get_main_crew_birth_date"
    calls = calling(0, arguments={"film": "Amber Coast", "by": "main_crew"})["calls"]
    calls = (calls[0], calls[1].model_copy(update={"tool": "get_main_crew_birth_date"}))
    assert toolset_broken(TOOLS.model_copy(update={"tools": tools, "calls": calls})) is None


def test_the_same_call_cannot_answer_two_sub_questions():
    wide = Decomposition(
        question="Who directed, and who shot, Amber Coast?",
        answer="Ilse Brandt and Omar Feld",
        scenario=Scenario.PARALLEL_SINGLE_HOP,
        steps=(STEPS[0], Step(id="q2", text="Who shot Amber Coast?", answer="Omar Feld")),
        conclusion=Conclusion(rule=Rule.LIST, steps=("q1", "q2")),
    )
    calls = (TOOLS.calls[0], TOOLS.calls[0].model_copy(update={"step": "q2"}))
    made = TOOLS.model_copy(update={"decomposition": wide, "tools": TOOLS.tools[:1], "calls": calls})
    assert rule_of(toolset_broken(made)) == "same_call_twice"


# Names and dates of a sub-question, and its call


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Who directed the film Amber Coast?", ["Amber", "Coast"]),
        ("Marie Curie was born where?", ["Marie", "Curie"]),
        ("In Oslo, who heads the Fram Museum?", ["Oslo", "Fram", "Museum"]),
        ("Which Danish king ruled in March 1660?", ["Danish"]),
        ("Elements are listed. Gold melts at how many K in the EU?", []),
        ("How many lines has the poem?", []),
    ],
)
def test_names_are_told_by_their_capital_letters(text, names):
    assert list(names_in(text)) == names


def calling_of(text: str, description: str = "Tells it.", **arguments: Any) -> str | None:
    step = SubQuestion(id="q1", text=text, answer="x", tool="get", arguments=arguments)
    return rule_of(next(names_broken([step], [tool("get", description, *arguments)]), None))


@pytest.mark.parametrize(
    ("text", "arguments", "whole"),
    [
        ("Who is on duty in Fenwick Ward on 9 June 2025?", {"ward": "Fenwick Ward", "day": "2025-06-09"}, True),
        ("Who is on duty in Fenwick Ward on 9 June 2025?", {"ward": "Fenwick Ward"}, False),
        ("Who is on duty in Fenwick Ward on 9 June 2025?", {"ward": "Fenwick Ward", "day": "2025-06-08"}, False),
        ("Who is on duty in Fenwick Ward of Aldreth House?", {"ward": "Fenwick Ward"}, False),
        ("Who directed the 1955 film Marty?", {"film": {"title": "Marty", "year": 1955}}, True),
        ("Who directed the 1955 film Marty?", {"film": "Marty"}, False),
    ],
)
def test_a_call_says_every_name_and_date_of_its_sub_question(text, arguments, whole):
    assert calling_of(text, **arguments) == (None if whole else "name_not_in_call")


def test_what_the_tools_document_says_or_an_earlier_answer_is_need_not_be_said_again():
    assert calling_of("What is the Nobel year of Bo?", "Nobel prizes.", person="Bo") is None
    answered = [STEPS[0].model_dump(), {**STEPS[1].model_dump(), "text": "When was {q1} of Oslo born?"}]
    calls = ({"film": "Amber Coast"}, {"city": "Oslo"})
    steps = [SubQuestion(**one, tool="get", arguments=call) for one, call in zip(answered, calls, strict=True)]
    assert list(names_broken(steps, [tool("get", "Tells it.", "film", "city")])) == []


# Integration, scaling


def test_documents_that_say_the_same_have_to_be_merged():
    twins = (TOOLS.tools[0], tool("find_director", "Finds out who directed a film.", "film"))
    assert list(near_duplicates(twins)) == [("get_director", "find_director")]
    assert list(near_duplicates(TOOLS.tools)) == []


def test_integration_makes_no_more_tools_and_leaves_what_is_asked():
    assert integration_broken(TOOLS, TOOLS) is None
    fewer = TOOLS.model_copy(update={"tools": TOOLS.tools[:1], "calls": TOOLS.calls[:1]})
    assert rule_of(integration_broken(TOOLS, fewer)) == "step_without_call"
    other = TOOLS.model_copy(update={"decomposition": MADE.model_copy(update={"source": "a text"})})
    assert rule_of(integration_broken(TOOLS, other)) == "sub_questions_changed"


def scaled(*types: str) -> Toolset:
    tools = copy.deepcopy(TOOLS.tools)
    for each in tools:
        for number, kind in enumerate(types):
            properties = each["function"]["parameters"]["properties"]
            properties[f"option_{number}"] = {"type": kind, "description": "An option."}
    return TOOLS.model_copy(update={"tools": tools})


@pytest.mark.parametrize(
    ("types", "rule"),
    [
        (("integer", "string"), None),
        (("array", "boolean"), None),
        (("string", "string"), "not_retyped"),
        (("integer",), "not_expanded"),
        ((), "not_expanded"),
    ],
)
def test_scaling_is_as_strong_as_was_asked_for(types, rule):
    assert rule_of(scaling_broken(TOOLS, scaled(*types), Scaling(expand=2, retype=1))) == rule


def test_distractors_are_as_many_and_as_near_as_was_asked_for_and_do_something_else():
    scaling = Scaling(distractors=1, near_misses=1)

    def extended(distractor: dict[str, Any], near: dict[str, str]) -> str | None:
        name = distractor["function"]["name"]
        made = TOOLS.model_copy(update={"tools": (*TOOLS.tools, distractor), "distractors": (name,)})
        return rule_of(extension_broken(TOOLS, made, scaling, near))

    premiere = tool("get_premiere", "Says where a film was first shown.", "film")
    assert extended(premiere, {"get_premiere": "get_director"}) is None
    assert extended(premiere, {}) == "too_few_near_misses"
    assert extended(premiere, {"get_premiere": "get_nothing"}) == "too_few_near_misses"
    twin = tool("find_director", "Finds out who directed a film.", "film")
    assert extended(twin, {"find_director": "get_director"}) == "near_duplicate_tools"
    assert rule_of(extension_broken(TOOLS, TOOLS, scaling, {})) == "number_of_distractors"


# Code, as far as reading tells

SOUND = '''def get_director(film):
    """Finds out who directed a film."""
    import re
    return {"film": re.sub(" +", " ", film)}
'''


def told_by(data: str) -> str:
    return f'def get_director(film):\n    """Finds it."""\n    known = {data}\n    return known[film]\n'


@pytest.mark.parametrize(
    ("data", "first"),
    [
        ('{"Amber Coast": "Ilse Brandt", "b": "x", "c": "y", "d": "z"}', True),
        ('{"a": "x", "amber coast": "Ilse Brandt", "c": "y", "d": "z"}', False),
        ('{"Amber Coast": "Ilse Brandt", "b": "x"}', False),
        ('[("b", "Oslo"), ("Amber Coast", "Oslo"), ("c", "Rome"), ("d", "Rome")]', False),
        ('[("AMBER COAST", 1), ("b", 2), ("c", 3), ("d", 4)]', True),
        ('[{"film": "a", "by": "x"}, {"film": "Amber Coast"}, {"film": "c"}, {"film": "d"}]', False),
        ('[{"film": "a", "by": "Ilse Brandt"}, {"film": "b"}, {"film": "c"}, {"film": "d"}]', True),
        ('{"a": ("x", 1, 2, 3), "b": ("Ilse Brandt", 1, 2, 3), "c": ("y", 1, 2, 3), "d": ("z", 1, 2, 3)}', False),
        ('[{"by": "x", "n": 1, "m": 2, "o": 3}, {"by": "Ilse Brandt", "n": 1, "m": 2, "o": 3}]', False),
        ('{"films": ["Amber Coast", "b", "c", "d"], "people": ["x", "y", "z", "Ilse Brandt"]}', True),
    ],
)
def test_what_is_asked_for_is_not_the_first_entry_of_a_table(data, first):
    found = next(asked_first(TOOLS.tools[0], told_by(data), TOOLS.trace), None)
    assert rule_of(found) == ("asked_for_first" if first else None)


def test_sound_code_is_accepted():
    assert list(code_broken(TOOLS.tools[0], SOUND)) == []


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("def get_director(film:\n    pass", "code_does_not_parse"),
        ("def find(film):\n    return 1", "not_one_function"),
        ("import re\n" + SOUND, "not_one_function"),
        ("@staticmethod\n" + SOUND, "not_one_function"),
        (SOUND.replace("(film)", "(title)", 1), "signature_differs"),
        (SOUND.replace("(film)", "(film='x')", 1), "signature_differs"),
        (SOUND.replace("(film)", "(**film)", 1), "signature_differs"),
        (SOUND.replace("import re", "import os"), "code_imports"),
        (SOUND.replace("import re", "from zoneinfo import ZoneInfo"), "code_imports"),
        (SOUND.replace("import re", "from . import re"), "code_imports"),
        (SOUND.replace("import re", "eval(film)"), "code_forbidden"),
        (SOUND.replace("import re", "run = open"), "code_forbidden"),
        (SOUND.replace("import re", "print(film)"), "code_forbidden"),
        (SOUND.replace("import re", "import datetime as d; d.datetime.now()"), "code_forbidden"),
        (SOUND.replace("import re", "().__class__"), "code_forbidden"),
        (SOUND.replace("import re", "global cache"), "code_forbidden"),
        (SOUND.replace("import re", "x = '" + "y" * 20_000 + "'"), "code_too_long"),
    ],
)
def test_code_is_rejected_by_its_rule(source, rule):
    assert rule_of(next(code_broken(TOOLS.tools[0], source), None)) == rule


# Golden calls with an option set otherwise


OPTIONS = {
    "type": "object",
    "properties": {
        "film": {"type": "string", "description": "The film."},
        "role": {"type": "string", "description": "Who.", "enum": ["director", "writer"]},
        "verbose": {"type": "boolean", "description": "More.", "default": False},
        "parts": {"type": "array", "description": "Parts.", "items": {"type": "string", "enum": ["a", "b"]}},
        "limit": {"type": "integer", "description": "How many.", "default": 1},
        "note": {"type": "string", "description": "Anything.", "default": ""},
    },
    "required": ["film", "role"],
}
CREDITS = tuple(
    SubQuestion(id=name, text="", answer=answer, tool="get", arguments={"film": "Amber Coast", "role": role})
    for name, role, answer in (("q1", "director", "Ilse Brandt"), ("q2", "writer", "Omar Feld"))
)


def tried(deciding: bool, *trace: SubQuestion) -> dict[str, tuple[str, ...]]:
    """What is set, as JSON, and the answers that the call must not bring then."""
    document = {"type": "function", "function": {"name": "get", "description": "Tells.", "parameters": OPTIONS}}
    golden = trace[0].arguments
    made = [check for check in option_checks(document, trace, deciding) if f"of {trace[0].id} " in check.what]
    return {
        json.dumps(
            {name: value for name, value in check.arguments.items() if golden.get(name) != value}
        ): check.not_golds
        for check in made
    }


def test_no_option_of_a_golden_call_may_bring_what_another_call_is_for():
    found = tried(True, *CREDITS)
    assert found['{"verbose": true}'] == ("Omar Feld",)
    assert found['{"parts": ["a", "b"]}'] == found['{"limit": 1000}'] == ("Omar Feld",)
    assert not any("note" in each for each in found), "of free text there is no end"
    assert '{"role": "writer"}' not in found, "that is the other golden call"


def test_the_choice_of_a_required_parameter_decides_unless_code_is_made_from_templates():
    assert tried(True, CREDITS[0]) == {'{"role": "writer"}': ("Ilse Brandt",)}
    assert tried(False, CREDITS[0]) == {}
