"""The ``tables`` generator: facts come from the fictional world or from the user's own tables, everything else
from templates. No model.

Item ``index`` is drawn from its own random stream, so that it is the same whatever else is made.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any

from ftrl import __version__
from ftrl.environments.schema import Environment, Gold, Scenario, SubQuestion, source_id
from ftrl.errors import InputError
from ftrl.synthesis.candidate import Candidate, Deployment
from ftrl.synthesis.config import SynthesisConfig
from ftrl.synthesis.tables.adaptive import drawn, weights
from ftrl.synthesis.tables.decompose import Decomposition, decompose
from ftrl.synthesis.tables.deploy import deploy
from ftrl.synthesis.tables.document import document
from ftrl.synthesis.tables.facts import Facts, Kind, NothingToAsk, Relation
from ftrl.synthesis.tables.integrate import Toolset, integrate
from ftrl.synthesis.tables.scale import scale
from ftrl.synthesis.tables.style import STYLES, Style
from ftrl.synthesis.tables.tabular import table_facts
from ftrl.synthesis.tables.tool import Role
from ftrl.synthesis.tables.world import World

_DIAL = (
    *("hops", "branches", "queries", "distractors", "near_misses"),
    *("functional", "expansions", "required", "types"),
)
"""What may be set beside the style, by its name in ``SynthesisConfig`` and ``Style``."""

_LOG = logging.getLogger(__name__)

_DRAWS = 4
"""How often a question is drawn that turns out to have too little around it."""

_DEEP = (Scenario.MULTI_HOP, Scenario.PARALLEL_MULTI_HOP)


def scenario_of(config: SynthesisConfig, index: int) -> Scenario:
    """The scenario of an item: the chosen ones take turns."""
    return config.scenarios[index % len(config.scenarios)]


def style_of(config: SynthesisConfig) -> Style:
    """The strengths of a run: those of its style, but for what is set otherwise."""
    said = {name: getattr(config, name) for name in _DIAL}
    return replace(STYLES[config.style], **{name: value for name, value in said.items() if value is not None})


@contextmanager
def opened_facts(config: SynthesisConfig) -> Iterator[Facts]:
    """The source of facts of a run, while it lasts.

    Raises:
        InputError: the tables can't be read, or hold nothing that could be asked for.
    """
    if config.table_schema is not None and not config.tables:
        raise InputError("a schema says something about tables; name them with --tables", field="schema")
    if config.like_tasks is not None and config.like is None:
        raise InputError("--like-tasks says where the tasks of --like are; give that, too", field="like_tasks")
    if config.like is not None:
        weights(config.like, config.like_tasks)
    if not config.tables:
        yield World(config.seed, config.split, style_of(config).wide)
        return
    with table_facts(config.tables, config.table_schema, config.split) as facts:
        deep = [scenario.value for scenario in config.scenarios if scenario in _DEEP]
        if facts.passed_over:
            _LOG.warning("no question is about rows of %s", "; ".join(facts.passed_over))
        style = style_of(config)
        fewest = style.hops[0]
        firsts = (*facts.relations, *(facts.queries if style.queries else ()))
        longest = max((_hops(facts, (first,), fewest, bool(style.queries)) for first in firsts), default=0)
        if deep and longest < 2:
            raise InputError(
                f"no column of these tables leads to another table that has more to tell, so that there is no "
                f"{deep[0]} question; declare a reference with --schema, or leave these scenarios out with --scenario",
                field="scenario",
            )
        if deep and longest < fewest:
            raise InputError(f"the references of these tables lead {longest} hops far and no further", field="hops")
        yield facts


def _hops(facts: Facts, path: tuple[Relation, ...], enough: int, querying: bool) -> int:
    """How far a path can be followed, each relation once; it is not followed beyond what is enough."""
    last = path[-1]
    lists = last.query is not None and last.query.take.lists
    if len(path) >= enough or not isinstance(last.object, Kind) or lists:
        return len(path)
    onward = (*facts.relations_of(last.object), *(facts.queries_of(last.object) if querying else ()))
    further = [relation for relation in onward if relation not in path]
    return max((_hops(facts, (*path, relation), enough, querying) for relation in further), default=len(path))


def build(config: SynthesisConfig, facts: Facts, index: int, attempt: int) -> Candidate:
    """Take one item through the five stages.

    Args:
        config: what kind of tasks; ``count`` does not matter.
        facts: what is true.
        index: which item.
        attempt: 0, or more when earlier attempts at this item were rejected.

    Raises:
        NothingToAsk: no question was found.
    """
    item = ":".join(map(str, (config.seed, config.split, index, *([attempt] if attempt else []))))
    rng = Random(item)
    scenario, style = scenario_of(config, index), style_of(config)
    if config.like is not None:
        # A stream of its own, so that an item without it is what it would have been.
        wanted = drawn(weights(config.like, config.like_tasks), Random(f"like:{item}"))
        scenario, style = (wanted.scenario, wanted.turned(style)) if wanted else (scenario, style)
    for draw in range(_DRAWS):
        try:
            decomposition, toolset, deployments = _stages(facts, scenario, style, rng)
            break
        except NothingToAsk:
            if draw == _DRAWS - 1:
                raise
    provenance = {
        "generator": "tables",
        "version": __version__,
        "seed": config.seed,
        "index": index,
        "attempt": attempt,
        "style": config.style,
        "distractors": list(style.distractors),
        **facts.provenance,
        "relations": [step.fact.relation.key for step in decomposition.steps],
    }
    return _assemble(decomposition, toolset, deployments, config.split, provenance)


def _stages(
    facts: Facts, scenario: Scenario, style: Style, rng: Random
) -> tuple[Decomposition, Toolset, dict[str, Deployment]]:
    decomposition = decompose(facts, scenario, style, rng)
    needs = _needs(decomposition)
    documents = tuple(
        document(step.fact.relation, style, rng, needs.get(step.fact.relation.key, frozenset()))
        for step in decomposition.steps
    )
    toolset = integrate(decomposition, documents, style, rng)
    toolset = scale(decomposition, toolset, facts, style, rng)
    return decomposition, toolset, deploy(decomposition, toolset, facts, style, rng)


def _needs(decomposition: Decomposition) -> dict[str, set[Role]]:
    """Relation key to what its calls must be able to say beside the subject."""
    needs: dict[str, set[Role]] = {}
    for step in decomposition.steps:
        if step.fact.given is not None:
            needs.setdefault(step.fact.relation.key, set()).add(Role(step.fact.given.role))
    return needs


def _assemble(
    decomposition: Decomposition,
    toolset: Toolset,
    deployments: dict[str, Deployment],
    split: str,
    provenance: dict[str, Any],
) -> Candidate:
    """Put the products of the stages together into one record."""
    trace = []
    for step in decomposition.steps:
        tool = toolset.document(toolset.tool_of[step.id])
        trace.append(
            SubQuestion(
                id=step.id,
                text=step.text,
                answer=step.answer,
                depends_on=step.depends_on,
                tool=tool.name,
                arguments=tool.call(step.fact),
            )
        )
    environment = Environment(
        scenario=decomposition.scenario,
        question=decomposition.question,
        answer=decomposition.answer,
        tools=tuple(document.schema() for document in toolset.documents if document.name in deployments),
        implementations={name: source_id(deployment.source) for name, deployment in deployments.items()},
        golds=tuple(Gold(tool=step.tool, value=step.answer, sub_question=step.id) for step in trace),
        trace=tuple(trace),
        split=split,
        data_source=f"tables/{decomposition.scenario.value}",
        provenance=provenance,
    )
    return Candidate(environment, deployments)
