"""How the tasks were made, and what they are like."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from statistics import fmean

from ftrl import storage
from ftrl.audit.audit import Auditor
from ftrl.audit.report import Tally
from ftrl.environments import Environment, Scenario, Tasks, describe, is_store
from ftrl.environments.statistics import ALL
from ftrl.llm import ExchangeFolder, ledger
from ftrl.reports.data import (
    AuditOf,
    ConstructedSet,
    Cost,
    Difficulty,
    DifficultyOf,
    FunnelStage,
    ScenarioFigures,
)
from ftrl.reports.run import EpisodeSet, Run
from ftrl.reports.texts import clipped, counted, inside
from ftrl.synthesis.pipeline.journal import Journal

STAGES = ("pose", "decompose", "document", "integrate", "scale", "judge", "deploy", "build", "verify", "store")
"""Every stage there is, in order; ``build`` is the tables generator's name for all those that make."""

_ALWAYS = {
    "tables": ("build", "verify", "store"),
    "llm": ("decompose", "document", "integrate", "scale", "deploy", "verify", "store"),
}
"""Stages that a generator's candidates pass; the others leave a trace where they were asked for."""

EXAMPLES = 8
EXAMPLE_CHARACTERS = 300
AUDITED = 60
"""Tasks of a set that are audited: enough to see what is wrong with its kind, in seconds."""


def constructed_sets(run: Run, *, audit: bool) -> tuple[ConstructedSet, ...]:
    """Every set of tasks of the run.

    Args:
        run: the run.
        audit: whether to run its tools, for an audit.
    """
    made = [_constructed(run, path, tasks, audit) for path, tasks in run.tasks.sets.items() if len(tasks)]
    return (*made, *(_begun(run, path) for path in run.parts.begun))


def _begun(run: Run, path: str) -> ConstructedSet:
    """A set of which nothing is accepted yet: what was rejected, and what it cost."""
    funnel, given_up, examples = _funnel(path, [])
    return ConstructedSet(
        path=inside(run.path, path),
        generator="a run of ftrl synth that has accepted nothing yet",
        distinct_sources=0,
        scenarios=(),
        funnel=funnel,
        given_up=given_up,
        examples=examples,
        verification={},
        costs=_costs(path),
        difficulty=(),
        audit=None,
    )


def _constructed(run: Run, path: str, tasks: Tasks, audit: bool) -> ConstructedSet:
    made = describe(tasks)
    provenance = [environment.provenance for environment in tasks]
    # Beside a file in the published format there is no record of how its tasks were made.
    funnel, given_up, examples = _funnel(path, provenance) if is_store(path) else ((), 0, ())
    verification: Counter[str] = Counter()
    for one in provenance:
        verification.update(one.get("verified") or {})
    return ConstructedSet(
        path=inside(run.path, path),
        generator=_generator(provenance),
        distinct_sources=made.distinct_sources,
        scenarios=tuple(
            ScenarioFigures(
                scenario=name,
                tasks=of.tasks,
                **{
                    figure: getattr(of, figure).mean
                    for figure in ("tools", "distractors", "golds", "parameters", "code_lines", "question_characters")
                },
            )
            for name, of in made.scenarios.items()
            if of.tasks and (name != ALL or len(made.scenarios) > 1)
        ),
        funnel=funnel,
        given_up=given_up,
        examples=examples,
        verification=dict(sorted(verification.items())),
        costs=_costs(path) if is_store(path) else (),
        difficulty=tuple(_difficulties(run, tasks)),
        audit=_audit(tasks) if audit else None,
    )


def _generator(provenance: Iterable[Mapping[str, object]]) -> str:
    """Who made the tasks, in words."""
    makers: Counter[str] = Counter()
    for one in provenance:
        if not one.get("generator"):
            makers["imported; nothing is known of how they were made"] += 1
            continue
        version = f", ftrl {one['version']}" if "version" in one else ""
        models = one.get("models")
        named = sorted({str(model) for model in models.values()}) if isinstance(models, dict) else []
        style = [str(one["style"])] if "style" in one else []
        how = f" ({', '.join(named or style)})" if named or style else ""
        makers[f"the {one['generator']} generator{how}, seed {one.get('seed')}{version}"] += 1
    (first, _), *others = makers.most_common()
    return first + (f", and {counted(len(others), 'other maker')}" if others else "")


def _funnel(path: str, provenance: list[dict[str, object]]) -> tuple[tuple[FunnelStage, ...], int, tuple[str, ...]]:
    """The way of the candidates, items given up, and some rejections in words.

    An attempt begins at the first stage, always: what a stage was given is what was accepted in the end, and what it
    and the stages behind it rejected.
    """
    generators = {str(one.get("generator")) for one in provenance} & _ALWAYS.keys()
    rejected: dict[str, Counter[str]] = defaultdict(Counter)
    examples: list[str] = []
    given_up = 0
    for record in Journal(path).read():
        rejected[record.stage][record.rule] += 1
        given_up += record.last
        if len(examples) < EXAMPLES:
            text = f"item {record.item}, attempt {record.attempt + 1}: {record.stage}: {record.rule}: {record.detail}"
            examples.append(clipped(text, EXAMPLE_CHARACTERS))
    passed = {stage for generator in generators for stage in _ALWAYS[generator]} | rejected.keys()
    if not passed:
        return (), 0, ()
    for one in provenance:
        prompts = one.get("prompts")
        passed |= {stage for stage in ("pose", "judge") if isinstance(prompts, dict) and stage in prompts}
    ordered = [stage for stage in STAGES if stage in passed] + sorted(passed - set(STAGES))
    entered = len(provenance) + sum(of.total() for of in rejected.values())
    funnel = []
    for stage in ordered:
        left = entered - rejected[stage].total()
        funnel.append(FunnelStage(name=stage, entered=entered, left=left, rejected=dict(rejected[stage].most_common())))
        entered = left
    return tuple(funnel), given_up, tuple(examples)


def _costs(path: str) -> tuple[Cost, ...]:
    if not storage.exists(folder := storage.join(path, "construction", "exchanges")):
        return ()
    return tuple(
        Cost(stage=stage, calls=of.calls, input=of.input, output=of.output, usd=of.usd)
        for stage, of in ledger(ExchangeFolder(folder)).items()
    )


def _difficulties(run: Run, tasks: Tasks) -> Iterator[DifficultyOf]:
    """For each policy that played these tasks: how many it never, sometimes and always solved."""
    scenarios = {environment.id: environment.scenario for environment in tasks}
    for episodes in run.episodes:
        recalls, profile = _recalls(episodes)
        rows = []
        for name in (*(scenario.value for scenario in Scenario), ALL):
            played = [r for id_, r in recalls.items() if id_ in scenarios and name in (ALL, scenarios[id_].value)]
            if played:
                rows.append(_difficulty(name, played))
        if rows:
            yield DifficultyOf(label=episodes.label, profile=profile, rows=tuple(rows))


def _recalls(episodes: EpisodeSet) -> tuple[dict[str, list[float]], str]:
    """Task → share of its golds that each episode solved, and the version of the profile that says so."""
    recalls: dict[str, list[float]] = defaultdict(list)
    profile = ""
    for row in episodes.store.rows(["environment_id", "metrics"], episodes.collection.iteration):
        recalls[row["environment_id"]].append(row["metrics"][0]["recall"])
        profile = row["metrics"][0]["profile"]
    return recalls, profile


def _difficulty(name: str, played: list[list[float]]) -> Difficulty:
    never = sum(not any(of_task) for of_task in played)
    always = sum(all(recall >= 1 for recall in of_task) for of_task in played)
    return Difficulty(
        scenario=name,
        tasks=len(played),
        never=never,
        sometimes=len(played) - never - always,
        always=always,
        recall=fmean(fmean(of_task) for of_task in played),
    )


def _audit(tasks: Tasks) -> AuditOf:
    tally = Tally()
    with Auditor() as auditor:
        chosen = _spread(tasks)
        while few := list(islice(chosen, 4)):
            for found in auditor.audit_together([(one, tasks.sources(one)) for one in few]):
                tally.add(found)
    return AuditOf(of=len(tasks), report=tally.report())


def _spread(tasks: Tasks) -> Iterator[Environment]:
    """At most so many tasks, evenly spread over the rows."""
    count = min(len(tasks), AUDITED)
    yield from (tasks[place * len(tasks) // count] for place in range(count))
