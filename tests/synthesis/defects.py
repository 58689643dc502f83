"""Known defects, put into sound candidates whatever their tools look like: the code is wrapped, not searched."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ftrl.environments import Scenario, source_id
from ftrl.environments.schema import Gold, SubQuestion
from ftrl.synthesis.candidate import Candidate
from ftrl.synthesis.document import leaves_of

Defect = Callable[[Candidate], Candidate]

SINGLE, PARALLEL, HOPS, BOTH = Scenario


@dataclass(frozen=True)
class Family:
    """Ways to make one kind of mistake.

    Attributes:
        ways: each makes it differently; a way may be tried on more than one candidate.
        rules: those that may fittingly name it.
        scenarios: of the candidates that it is made in.
    """

    ways: tuple[Defect, ...]
    rules: frozenset[str]
    scenarios: tuple[Scenario, ...] = tuple(Scenario)


def with_environment(made: Candidate, **fields: Any) -> Candidate:
    return replace(made, environment=made.environment.model_copy(update=fields))


def with_source(made: Candidate, tool: str, source: str) -> Candidate:
    deployments = {**made.deployments, tool: replace(made.deployments[tool], source=source)}
    implementations = {name: source_id(each.source) for name, each in deployments.items()}
    return replace(with_environment(made, implementations=implementations), deployments=deployments)


def with_trace(made: Candidate, *trace: SubQuestion) -> Candidate:
    golds = tuple(Gold(tool=step.tool, value=step.answer, sub_question=step.id) for step in trace)
    return with_environment(made, trace=trace, golds=golds)


def with_function(made: Candidate, tool: str, change: Callable[[dict[str, Any]], None]) -> Candidate:
    tools = json.loads(json.dumps(made.environment.tools))
    change(next(each["function"] for each in tools if each["function"]["name"] == tool))
    return with_environment(made, tools=tuple(tools))


def wrapped(made: Candidate, tool: str, body: str) -> Candidate:
    """The tool with other code around its own, which ``{own}`` calls with the arguments that were given.

    In ``body``, ``first`` is the first argument and ``given`` whatever was given, as a text.
    """
    function = ast.parse(made.deployments[tool].source).body[0]
    assert isinstance(function, ast.FunctionDef)
    names = [argument.arg for argument in function.args.args]
    inner = ast.parse(ast.unparse(function)).body[0]
    assert isinstance(inner, ast.FunctionDef)
    inner.name = "own"
    given = f"str([{', '.join(names)}])"
    lines = body.format(own=f"own({', '.join(names)})", first=names[0], given=given).splitlines()
    code = [f"def {tool}({ast.unparse(function.args)}):", *ast.unparse(inner).splitlines(), *lines]
    return with_source(made, tool, "\n".join([code[0], *(f"    {line}" for line in code[1:])]) + "\n")


def steps(made: Candidate) -> tuple[SubQuestion, ...]:
    return made.environment.trace


def distractor(made: Candidate) -> str:
    used = {step.tool for step in steps(made)}
    return next(name for name in made.deployments if name not in used)


def subject(step: SubQuestion) -> str:
    """Whom or what a golden call is about, as Python."""
    return repr(str(next(leaves_of(step.arguments)))).replace("{", "{{").replace("}", "}}")


def golden(step: SubQuestion) -> str:
    return f"own(**{step.arguments!r})".replace("{", "{{").replace("}", "}}")


def dependent(made: Candidate) -> SubQuestion:
    return next(step for step in reversed(steps(made)) if step.depends_on)


def before(made: Candidate, step: SubQuestion) -> SubQuestion:
    return next(each for each in steps(made) if each.id == step.depends_on[-1])


# --- constant tool


def always_the_answer(made: Candidate) -> Candidate:
    step = steps(made)[0]
    return wrapped(made, step.tool, f"return {golden(step)}")


def the_answer_once_the_arguments_are_checked(made: Candidate) -> Candidate:
    step = steps(made)[-1]
    return wrapped(made, step.tool, f"{{own}}\nreturn {golden(step)}")


def the_answer_beside_whatever_is_asked(made: Candidate) -> Candidate:
    step = steps(made)[0]
    return wrapped(made, step.tool, f"return [{{own}}, {golden(step)}]")


def the_answer_for_whatever_is_not_known(made: Candidate) -> Candidate:
    step = steps(made)[-1]
    return wrapped(made, step.tool, f"try:\n    return {{own}}\nexcept Exception:\n    return {golden(step)}")


# --- gold in document


def gold_in_the_description(made: Candidate) -> Candidate:
    step = steps(made)[-1]
    return with_function(made, step.tool, lambda f: f.update(description=f"{f['description']} E.g. {step.answer}."))


def gold_in_a_parameter(made: Candidate) -> Candidate:
    step = steps(made)[0]

    def tell(function: dict[str, Any]) -> None:
        first = next(iter(function["parameters"]["properties"].values()))
        first["description"] += f" The answer may be {step.answer}."

    return with_function(made, step.tool, tell)


def gold_in_the_document_of_a_distractor(made: Candidate) -> Candidate:
    gold = made.environment.golds[-1].value
    return with_function(made, distractor(made), lambda f: f.update(description=f"{f['description']} Not {gold}."))


def gold_as_a_choice(made: Candidate) -> Candidate:
    step = steps(made)[-1]

    def tell(function: dict[str, Any]) -> None:
        next(iter(function["parameters"]["properties"].values()))["examples"] = [step.answer]

    return with_function(made, step.tool, tell)


# --- hop that can be skipped


def last_tool_knows_the_first_subject(made: Candidate) -> Candidate:
    last = dependent(made)
    known = subject(before(made, last))
    return wrapped(made, last.tool, f"if {known} in {{given}}:\n    return {golden(last)}\nreturn {{own}}")


def first_tool_tells_the_last_answer(made: Candidate) -> Candidate:
    last = dependent(made)
    first = before(made, last)
    told = f"[{{own}}, {last.answer!r}]"
    return wrapped(made, first.tool, f"return {told} if {subject(first)} in {{given}} else {{own}}")


def question_tells_what_is_in_between(made: Candidate) -> Candidate:
    told = before(made, dependent(made)).answer
    return with_environment(made, question=f"{made.environment.question} (It leads over {told}.)")


# --- wrong dependency


def dependency_left_out(made: Candidate) -> Candidate:
    last = dependent(made)
    return with_trace(
        made, *(each.model_copy(update={"depends_on": ()}) if each is last else each for each in steps(made))
    )


def dependency_on_the_wrong_step(made: Candidate) -> Candidate:
    last = dependent(made)
    stranger = next(each for each in steps(made) if each is not last and each.id not in last.depends_on)
    wrong = last.model_copy(update={"depends_on": (stranger.id,)})
    return with_trace(made, *(wrong if each is last else each for each in steps(made)))


def dependency_that_is_not_taken_up(made: Candidate) -> Candidate:
    last = dependent(made)
    known = next(a for a in made.deployments[last.tool].known if a not in [each.arguments for each in steps(made)])
    return with_trace(
        made, *(each.model_copy(update={"arguments": known}) if each is last else each for each in steps(made))
    )


def dependencies_in_a_circle(made: Candidate) -> Candidate:
    last = dependent(made)
    first = before(made, last)
    circle = first.model_copy(update={"depends_on": (last.id,)})
    return with_trace(made, *(circle if each is first else each for each in steps(made)))


# --- ambiguous golden call


def another_tool_answers_it_too(made: Candidate) -> Candidate:
    """A distractor takes what the golden call takes, and gives what it gives."""
    step, other = steps(made)[0], distractor(made)
    return wrapped(made, other, f"return {step.answer!r} if {subject(step)} in {{given}} else {{own}}")


def two_sub_questions_with_one_call(made: Candidate) -> Candidate:
    first, second, *others = steps(made)
    twin = second.model_copy(update={"tool": first.tool, "arguments": first.arguments, "depends_on": ()})
    return with_trace(made, first, twin, *others)


def another_subject_with_the_same_answer(made: Candidate) -> Candidate:
    step = steps(made)[-1]
    used = [each.arguments for each in steps(made)]
    stranger = next(arguments for arguments in made.deployments[step.tool].known if arguments not in used)
    return wrapped(
        made,
        step.tool,
        f"return {golden(step)} if {str(next(leaves_of(stranger)))!r} in {{given}} else {{own}}",
    )


# --- non-deterministic tool


def where_objects_lie(made: Candidate) -> Candidate:
    return wrapped(made, steps(made)[0].tool, "return [{own}, [id(each) for each in [object() for _ in range(200)]]]")


def names_with_addresses(made: Candidate) -> Candidate:
    return wrapped(made, steps(made)[-1].tool, "return [{own}, str([object() for _ in range(200)])]")


def by_the_clock(made: Candidate) -> Candidate:
    return wrapped(made, steps(made)[0].tool, "import time\nreturn [{own}, time.perf_counter_ns()]")


def at_random(made: Candidate) -> Candidate:
    return wrapped(made, steps(made)[-1].tool, "import random\nreturn [{own}, random.random()]")


def by_the_day(made: Candidate) -> Candidate:
    return wrapped(made, steps(made)[0].tool, "import datetime\nreturn [{own}, str(datetime.datetime.now())]")


# --- missing validation


UNLESS_OF_THE_WRONG_TYPE = """try:
    return {own}
except Exception as error:
    if isinstance(error, TypeError):
        raise
    return 'no entry'
"""


def takes_a_list_for_a_value(made: Candidate) -> Candidate:
    step = next((s for s in steps(made) if isinstance(next(iter(s.arguments.values())), str)), None)
    if step is None:
        return takes_what_is_of_the_wrong_type(made)
    first = next(iter(step.arguments))
    return wrapped(made, step.tool, f"{first} = {first}[0] if isinstance({first}, list) else {first}\nreturn {{own}}")


def takes_what_is_of_the_wrong_type(made: Candidate) -> Candidate:
    code = "try:\n    return {own}\nexcept (TypeError, AttributeError, ValueError):\n    return 'nothing found'"
    return wrapped(made, steps(made)[-1].tool, code)


def returns_errors_instead_of_raising_them(made: Candidate) -> Candidate:
    code = "try:\n    return {own}\nexcept Exception as error:\n    return {{'error': str(error)}}"
    return wrapped(made, steps(made)[-1].tool, code)


def knows_everybody(made: Candidate) -> Candidate:
    return wrapped(made, steps(made)[0].tool, UNLESS_OF_THE_WRONG_TYPE)


def a_distractor_that_checks_nothing(made: Candidate) -> Candidate:
    code = "try:\n    return {own}\nexcept (TypeError, AttributeError, ValueError):\n    return 'unknown'"
    return wrapped(made, distractor(made), code)


# --- distractor that returns a gold


def distractor_with_the_gold_for_all(made: Candidate) -> Candidate:
    return wrapped(made, distractor(made), f"{{own}}\nreturn {made.environment.golds[0].value!r}")


def distractor_with_the_gold_for_a_golden_argument(made: Candidate) -> Candidate:
    step = steps(made)[-1]
    code = f"return 'It is ' + {step.answer!r} + '.' if {subject(step)} in {{given}} else {{own}}"
    return wrapped(made, distractor(made), code)


def distractor_with_the_gold_among_others(made: Candidate) -> Candidate:
    gold = made.environment.golds[-1].value
    return wrapped(made, distractor(made), f"return {{{{'found': {{own}}, 'see_also': ['Nobody', {gold!r}]}}}}")


def distractor_whose_errors_tell(made: Candidate) -> Candidate:
    gold = made.environment.golds[0].value
    code = f"try:\n    return {{own}}\nexcept Exception:\n    raise LookupError('did you mean ' + {gold!r} + '?')"
    return wrapped(made, distractor(made), code)


# --- signature mismatch


def _arguments(made: Candidate, tool: str, change: Callable[[ast.arguments], None]) -> Candidate:
    tree = ast.parse(made.deployments[tool].source)
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    change(function.args)
    return with_source(made, tool, ast.unparse(tree) + "\n")


def a_parameter_more(made: Candidate) -> Candidate:
    def change(arguments: ast.arguments) -> None:
        arguments.args.append(ast.arg("year"))
        arguments.defaults.append(ast.Constant(None))

    return _arguments(made, steps(made)[0].tool, change)


def a_parameter_of_another_name(made: Candidate) -> Candidate:
    def change(arguments: ast.arguments) -> None:
        arguments.args[0].arg += "_"

    return _arguments(made, steps(made)[-1].tool, change)


def any_parameters(made: Candidate) -> Candidate:
    def change(arguments: ast.arguments) -> None:
        arguments.kwarg = ast.arg("more")

    return _arguments(made, distractor(made), change)


def a_documented_parameter_that_is_not_there(made: Candidate) -> Candidate:
    def change(function: dict[str, Any]) -> None:
        function["parameters"]["properties"]["year"] = {"type": "integer", "description": "Of which year."}

    return with_function(made, steps(made)[0].tool, change)


# --- merged tool that lost a sub-question


def the_second_is_not_known_any_more(made: Candidate) -> Candidate:
    step = steps(made)[1]
    code = f"if {subject(step)} in {{given}}:\n    raise LookupError('not known')\nreturn {{own}}"
    return wrapped(made, step.tool, code)


def the_second_gets_another_answer(made: Candidate) -> Candidate:
    step = steps(made)[1]
    return wrapped(made, step.tool, f"return 'Nothing Found' if {subject(step)} in {{given}} else {{own}}")


def its_tool_went_with_the_merger(made: Candidate) -> Candidate:
    gone = steps(made)[1].tool
    tools = tuple(tool for tool in made.environment.tools if tool["function"]["name"] != gone)
    deployments = {name: each for name, each in made.deployments.items() if name != gone}
    implementations = {name: each for name, each in made.environment.implementations.items() if name != gone}
    return replace(with_environment(made, tools=tools, implementations=implementations), deployments=deployments)


def its_gold_went_with_the_merger(made: Candidate) -> Candidate:
    return with_environment(made, golds=tuple(g for g in made.environment.golds if g.sub_question != steps(made)[1].id))


FAMILIES: dict[str, Family] = {
    "constant tool": Family(
        (
            always_the_answer,
            the_answer_once_the_arguments_are_checked,
            the_answer_beside_whatever_is_asked,
            the_answer_for_whatever_is_not_known,
        ),
        # Asked for two sub-questions, a constant tool gives the answer of one for the other.
        frozenset(
            {
                "counterfactual_call_ticks",
                "accepts_bad_arguments",
                "golden_call_ticks",
                "golden_call_misses",
                "error_call_ticks",
            }
        ),
    ),
    "gold in document": Family(
        (gold_in_the_description, gold_in_a_parameter, gold_in_the_document_of_a_distractor, gold_as_a_choice),
        frozenset({"gold_in_document"}),
    ),
    "hop that can be skipped": Family(
        (last_tool_knows_the_first_subject, first_tool_tells_the_last_answer, question_tells_what_is_in_between),
        # Where both tools are about things of one kind, the shortcut is one of the other things the last one knows.
        frozenset({"distractor_call_ticks", "golden_call_ticks", "gold_in_question", "counterfactual_call_ticks"}),
        (HOPS, BOTH),
    ),
    "wrong dependency": Family(
        (
            dependency_left_out,
            dependency_on_the_wrong_step,
            dependency_that_is_not_taken_up,
            dependencies_in_a_circle,
        ),
        frozenset({"dependency_not_real", "dependencies_not_acyclic", "argument_not_in_question"}),
        (BOTH,),
    ),
    "ambiguous golden call": Family(
        (another_tool_answers_it_too, two_sub_questions_with_one_call, another_subject_with_the_same_answer),
        frozenset({"distractor_call_ticks", "same_call_twice", "counterfactual_call_ticks", "tool_without_call"}),
        (PARALLEL,),
    ),
    "non-deterministic tool": Family(
        (where_objects_lie, names_with_addresses, by_the_clock, at_random, by_the_day),
        frozenset({"not_deterministic", "code_imports", "code_forbidden"}),
    ),
    "missing validation": Family(
        (
            takes_a_list_for_a_value,
            takes_what_is_of_the_wrong_type,
            returns_errors_instead_of_raising_them,
            knows_everybody,
            a_distractor_that_checks_nothing,
        ),
        frozenset({"accepts_bad_arguments"}),
    ),
    "distractor that returns a gold": Family(
        (
            distractor_with_the_gold_for_all,
            distractor_with_the_gold_for_a_golden_argument,
            distractor_with_the_gold_among_others,
            distractor_whose_errors_tell,
        ),
        frozenset({"distractor_call_ticks", "error_call_ticks"}),
    ),
    "signature mismatch": Family(
        (a_parameter_more, a_parameter_of_another_name, any_parameters, a_documented_parameter_that_is_not_there),
        frozenset({"signature_differs"}),
    ),
    "merged tool that lost a sub-question": Family(
        (
            the_second_is_not_known_any_more,
            the_second_gets_another_answer,
            its_tool_went_with_the_merger,
            its_gold_went_with_the_merger,
        ),
        frozenset({"golden_call_fails", "golden_call_misses", "unknown_tool", "golds_do_not_fit_trace"}),
        (PARALLEL,),
    ),
}


def seeded(family: Family, sound: Callable[[Scenario, int], Candidate], number: int) -> Iterator[tuple[str, Candidate]]:
    """So many candidates with the family's defect, each with the name of the way."""
    for at in range(number):
        way = family.ways[at % len(family.ways)]
        scenario = family.scenarios[(at // len(family.ways)) % len(family.scenarios)]
        yield way.__name__, way(sound(scenario, at))
