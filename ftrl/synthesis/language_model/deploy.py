"""Stage 5 by a model: a function for each tool, tried in the sandbox as soon as it is written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from jsonschema import Draft202012Validator

from ftrl import __version__
from ftrl.environments.schema import Environment, Gold, Json, SubQuestion, source_id
from ftrl.llm import LanguageModel, Totals, Unusable, ask
from ftrl.sandbox import Limits, Sandbox
from ftrl.synthesis.candidate import Candidate, Deployment
from ftrl.synthesis.deploy import ALLOWED_MODULES, code_broken
from ftrl.synthesis.document import Toolset, closed
from ftrl.synthesis.finding import Finding
from ftrl.synthesis.language_model.forms import CodeForm
from ftrl.synthesis.language_model.prompts import prompt
from ftrl.synthesis.language_model.stage import Work
from ftrl.synthesis.verify import Rejection, calls_for, judge_all, run_calls
from ftrl.synthesis.verify_calls import golden_checks, tool_checks

OTHERS = 3
"""Further calls that a tool's author has to show; one more of a tool that nobody needs."""

_LIMITS = Limits(seconds=5.0)


class Deploy:
    """The stage.

    Args:
        model: writes the tools that are needed.
        distracting: writes the others.
        provenance: of every environment of this run.
        split: of every environment of this run.
        words: the prompt.
    """

    def __init__(
        self, model: LanguageModel, distracting: LanguageModel, provenance: dict[str, Json], split: str, words: str
    ) -> None:
        self._words = words
        self._model = model
        self._distracting = distracting
        self._provenance = provenance
        self._split = split
        self._sandbox = Sandbox(workers=1, limits=_LIMITS)

    async def __call__(self, work: Work[Toolset]) -> Candidate | Rejection:
        """The tools with their code."""
        made = work.product
        results = await asyncio.gather(*(self._write(tool, work) for tool in made.tools), return_exceptions=True)
        deployments: dict[str, Deployment] = {}
        spent = [work.spent]
        for result in results:
            if isinstance(result, BaseException):
                raise result
        for tool, result in zip(made.tools, results, strict=True):
            if isinstance(result, Rejection):
                return result
            if isinstance(result, tuple):
                deployments[tool["function"]["name"]], cost = result
                spent.append(cost)
        return self._candidate(work, deployments, _sum(spent))

    def close(self) -> None:
        """End the sandbox."""
        self._sandbox.close()

    async def _write(self, tool: dict[str, Json], work: Work[Toolset]) -> tuple[Deployment, Totals] | Rejection:
        name = tool["function"]["name"]
        needed = name not in work.product.distractors
        trace = work.product.trace
        given = [step for step in trace if step.tool == name]
        others = OTHERS if needed else OTHERS + 1
        asked = prompt(
            self._words,
            CodeForm,
            modules=", ".join(sorted(ALLOWED_MODULES)),
            document=json.dumps(tool["function"], ensure_ascii=False, indent=1),
            signature=signature(tool),
            calls=_calls_text(given),
            others=str(others),
        )
        spent = Totals()

        async def check(form: CodeForm) -> Unusable | None:
            found = await self._broken(tool, trace, form, others)
            return None if found is None else Unusable(*found)

        model = self._model if needed else self._distracting
        answer = await ask(model, asked, CodeForm, check, item=work.index, sample=work.attempt, spent=spent)
        if isinstance(answer, Unusable):
            return Rejection(answer.rule, answer.detail)
        return Deployment(answer.code.strip() + "\n", (*(step.arguments for step in given), *answer.other_calls)), spent

    async def _broken(
        self, tool: dict[str, Json], trace: Sequence[SubQuestion], form: CodeForm, others: int
    ) -> Finding | None:
        """The first rule that a tool breaks, read and then run."""
        name = tool["function"]["name"]
        source = form.code.strip() + "\n"
        if found := next(code_broken(tool, source), None):
            return found
        golden = [step.arguments for step in trace if step.tool == name]
        fresh = [arguments for arguments in form.other_calls if arguments not in golden]
        if len({json.dumps(arguments, sort_keys=True) for arguments in fresh}) < others:
            return "too_few_other_calls", f"{name}: {others} different other_calls are needed, besides the given ones"
        schema = Draft202012Validator(closed(tool["function"]["parameters"]))
        for arguments in fresh:
            if (error := next(iter(schema.iter_errors(arguments)), None)) is not None:
                told = json.dumps(arguments, ensure_ascii=False)
                return "other_call_invalid", f"{name}: {told} does not fit the document: {error.message[:200]}"
        plan = golden_checks(trace, name)
        # A tool that fails its golden calls, perhaps by never coming back, is not tried any further.
        for few in (plan, plan + tool_checks(tool, trace, [*golden, *fresh])):
            results = await asyncio.to_thread(run_calls, calls_for({name: source}, few), self._sandbox)
            if few and (found := judge_all(few, results, chosen=False)):
                return found
        return None

    def _candidate(self, work: Work[Toolset], deployments: dict[str, Deployment], spent: Totals) -> Candidate:
        made = work.product
        trace = made.trace
        cost = spent.model_dump(include={"calls", "input", "output", "usd"})
        conclusion = made.decomposition.conclusion.model_dump(mode="json")
        environment = Environment(
            scenario=made.decomposition.scenario,
            question=made.decomposition.question,
            answer=made.decomposition.answer,
            tools=made.tools,
            implementations={name: source_id(each.source) for name, each in deployments.items()},
            golds=tuple(Gold(tool=step.tool, value=step.answer, sub_question=step.id) for step in trace),
            trace=trace,
            split=self._split,
            data_source=f"llm/{made.decomposition.scenario.value}",
            provenance={
                **self._provenance,
                "version": __version__,
                "index": work.index,
                "attempt": work.attempt,
                "conclusion": conclusion,
                "distractors": list(made.distractors),
                "cost": cost,
            },
        )
        return Candidate(environment, deployments, chosen=False)


def signature(tool: dict[str, Json]) -> str:
    """The first line of a tool's function; a parameter that may be left out has its default, or None."""
    function = tool["function"]
    parameters = function["parameters"]
    parts = [
        name if name in parameters["required"] else f"{name}={_default(schema.get('default'))}"
        for name, schema in parameters["properties"].items()
    ]
    return f"def {function['name']}({', '.join(parts)}):"


def _default(value: Any) -> str:
    """A default in a signature; one that could be changed in place is made inside."""
    return "None" if isinstance(value, (list, dict)) else repr(value)


def _calls_text(given: Sequence[SubQuestion]) -> str:
    if not given:
        return "No call is given; choose the data as you like."
    lines = [
        f"{json.dumps(step.arguments, ensure_ascii=False)}\n  must return {json.dumps(step.answer, ensure_ascii=False)}"
        for step in given
    ]
    return "Given calls:\n" + "\n".join(lines)


def _sum(many: Sequence[Totals]) -> Totals:
    whole = Totals()
    for each in many:
        whole.include(each)
    return whole
