"""Stage 5 by a model: a function for each tool, tried in the sandbox as soon as it is written."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Sequence
from typing import Any

from jsonschema import Draft202012Validator

from ftrl import __version__
from ftrl.environments.schema import Environment, Gold, Json, SubQuestion, source_id
from ftrl.llm import Unusable
from ftrl.sandbox import Limits, Sandbox
from ftrl.synthesis.candidate import Candidate, Deployment
from ftrl.synthesis.deploy import ALLOWED_MODULES, asked_first, code_broken
from ftrl.synthesis.document import Toolset, choices_of, closed
from ftrl.synthesis.finding import Finding
from ftrl.synthesis.language_model.forms import CodeForm
from ftrl.synthesis.language_model.stage import Asker, Trail, Work
from ftrl.synthesis.verify import Rejection, calls_for, judge_all, run_calls
from ftrl.synthesis.verify_calls import golden_checks, option_checks, tool_checks

OTHERS = 3
"""Further calls that a tool's author has to show; one more of a tool that nobody needs."""

_LIMITS = Limits(seconds=5.0)


class Deploy:
    """The stage.

    Args:
        needed: writes the tools that are needed.
        distracting: writes the others.
        provenance: of every environment of this run.
        split: of every environment of this run.
    """

    def __init__(self, needed: Asker, distracting: Asker, provenance: dict[str, Json], split: str) -> None:
        self._needed = needed
        self._distracting = distracting
        self._provenance = provenance
        self._split = split
        self._sandbox = Sandbox(workers=1, limits=_LIMITS)

    async def __call__(self, work: Work[Toolset]) -> Candidate | Rejection:
        """The tools with their code."""
        made = work.product
        results = await asyncio.gather(*(self._write(tool, work) for tool in made.tools), return_exceptions=True)
        trail = copy.deepcopy(work.trail)
        written: dict[str, Deployment | Unusable] = {}
        for tool, result in zip(made.tools, results, strict=True):
            if isinstance(result, BaseException):
                raise result
            written[tool["function"]["name"]], met = result
            trail.include(met)
        deployments: dict[str, Deployment] = {}
        for name, deployment in written.items():
            if isinstance(deployment, Unusable):
                return trail.rejection(deployment)
            deployments[name] = deployment
        return self._candidate(work, deployments, trail)

    def close(self) -> None:
        """End the sandbox."""
        self._sandbox.close()

    async def _write(self, tool: dict[str, Json], work: Work[Toolset]) -> tuple[Deployment | Unusable, Trail]:
        name = tool["function"]["name"]
        needed = name not in work.product.distractors
        trace = work.product.trace
        given = [step for step in trace if step.tool == name]
        others = OTHERS if needed else OTHERS + 1
        texts = {
            "modules": ", ".join(sorted(ALLOWED_MODULES)),
            "document": json.dumps(tool["function"], ensure_ascii=False, indent=1),
            "signature": signature(tool),
            "calls": _calls_text(given),
            "distracting": "" if needed else "yes",
            "question": work.product.decomposition.question,
            "names": _names_text(work.product),
            "golds": "\n".join(f"- {step.answer}" for step in trace),
            "others": str(others),
        }
        trail = Trail()

        async def check(form: CodeForm) -> Finding | None:
            return await self._broken(tool, trace, form, others)

        asker = self._needed if needed else self._distracting
        answer = await asker.ask(work, CodeForm, texts, check, trail)
        if isinstance(answer, Unusable):
            return answer, trail
        return Deployment(answer.code.strip() + "\n", (*(step.arguments for step in given), *answer.other_calls)), trail

    async def _broken(
        self, tool: dict[str, Json], trace: Sequence[SubQuestion], form: CodeForm, others: int
    ) -> Finding | None:
        """The first rule that a tool breaks, read and then run."""
        name = tool["function"]["name"]
        source = form.code.strip() + "\n"
        if found := next(code_broken(tool, source), None) or next(asked_first(tool, source, trace), None):
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
        further = tool_checks(tool, trace, [*golden, *fresh]) + option_checks(tool, trace, deciding=True)
        for few in (plan, plan + further):
            results = await asyncio.to_thread(run_calls, calls_for({name: source}, few), self._sandbox)
            if few and (found := judge_all(few, results, chosen=False)):
                return found
        return None

    def _candidate(self, work: Work[Toolset], deployments: dict[str, Deployment], trail: Trail) -> Candidate:
        made = work.product
        trace = made.trace
        cost = trail.spent.model_dump(include={"calls", "input", "output", "usd"})
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
                "prompts": trail.prompts,
                "sent_back": trail.sent_back,
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
    return "\n".join(
        f"{json.dumps(step.arguments, ensure_ascii=False)}\n  must return {json.dumps(step.answer, ensure_ascii=False)}"
        for step in given
    )


def _names_text(made: Toolset) -> str:
    """What golden calls say, each thing once: what a distractor may be asked about by mistake."""
    choices = [choice for tool in made.tools for choice in choices_of(tool["function"]["parameters"])]
    told = (
        f"- {name}: {json.dumps(value, ensure_ascii=False)}"
        for step in made.trace
        for name, value in step.arguments.items()
        if value not in choices
    )
    return "\n".join(dict.fromkeys(told))
