"""The generator as the pipeline takes it: its stages, its items, and what it will go on behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from ftrl import storage
from ftrl.environments.schema import Environment
from ftrl.errors import InputError
from ftrl.llm import ExchangeFolder, LanguageModel, Totals, ledger, read_recording
from ftrl.synthesis.config import SynthesisConfig
from ftrl.synthesis.language_model import decompose, deploy, document, integrate, judge, pose, scale
from ftrl.synthesis.language_model.given import Occasion, given_of, read_given
from ftrl.synthesis.language_model.settings import ROLES, LanguageModelRun
from ftrl.synthesis.language_model.spending import budget_of
from ftrl.synthesis.language_model.stage import Asker, Trail, Work
from ftrl.synthesis.pipeline.stage import Item, Stage, StageSpec

if TYPE_CHECKING:
    from ftrl.synthesis.pipeline.generator import Generator


def language_model_generator(config: SynthesisConfig) -> Generator:
    """The llm generator for a run.

    Raises:
        InputError: what it is given can't be read.
    """
    from ftrl.synthesis.pipeline.generator import Generator

    run = run_of(config)
    given = read_given(run)
    count = min(config.count, len(given)) if run.questions is not None else config.count
    if run.replay is not None:
        read_recording(run.replay)

    def items(first: int) -> Iterator[Item]:
        for index in range(first, count):
            yield Item(index, given=given_of(run, given, config.scenarios, index))

    made: dict[str, Callable[[SynthesisConfig], Stage]] = {
        "decompose": _decompose,
        "document": _document,
        "integrate": _integrate,
        "scale": _scale,
        **({"judge": _judge} if run.judge else {}),
        "deploy": _deploy,
    }
    if run.questions is None:
        made = {"pose": _pose, **made}
    first, *others = made
    specs = [_spec(config, first, partial(_Begin, config, made[first]))]
    specs += [_spec(config, name, partial(made[name], config)) for name in others]
    return Generator(stages=tuple(specs), items=items, check=partial(_check, config), ledger=partial(_ledger, config))


def exchange_folder(config: SynthesisConfig) -> str:
    """Where a run keeps what was asked and answered."""
    return run_of(config).exchanges or storage.join(config.out, "construction", "exchanges")


def run_of(config: SynthesisConfig) -> LanguageModelRun:
    """What the generator is given."""
    if config.language_model is None:
        raise InputError("the llm generator needs a model; name it with --model", field="model")
    return config.language_model


def _spec(config: SynthesisConfig, name: str, factory: Callable[[], Stage]) -> StageSpec:
    return StageSpec(name, factory, in_flight=run_of(config).settings(name).connections)


class _Begin:
    """The first stage, which is given an item as the pipeline knows it."""

    def __init__(self, config: SynthesisConfig, stage: Callable[[SynthesisConfig], Stage]) -> None:
        self._stage = stage(config)

    async def __call__(self, item: Item) -> Any:
        return await self._stage(Work(item.index, item.attempt, item.given, Trail()))


def _asker(config: SynthesisConfig, stage: str, role: str | None = None, words: str | None = None) -> Asker:
    """Whom a stage asks: the model of a role, in the words of a prompt, both called like the stage unless said."""
    run = run_of(config)
    recording = None if run.replay is None else read_recording(run.replay)
    exchanges = recording or ExchangeFolder(exchange_folder(config))
    model = LanguageModel(run.settings(role or stage), exchanges, budget_of(config), stage)
    part = stage if words else role or stage
    return Asker(stage, part, model, run.versions(words or part), recording.exchanges if recording else ())


def _pose(config: SynthesisConfig) -> Stage:
    given = "topic" if run_of(config).topics is not None else "document"
    return pose.Pose(_asker(config, "pose", words=f"pose_from_{given}"))


def _decompose(config: SynthesisConfig) -> Stage:
    return decompose.Decompose(_asker(config, "decompose"))


def _document(config: SynthesisConfig) -> Stage:
    return document.Document(_asker(config, "document"))


def _integrate(config: SynthesisConfig) -> Stage:
    return integrate.Integrate(_asker(config, "integrate"))


def _scale(config: SynthesisConfig) -> Stage:
    return scale.Scale(_asker(config, "scale"), _asker(config, "scale", "distract"), run_of(config).scaling)


def _judge(config: SynthesisConfig) -> Stage:
    return judge.Judge(_asker(config, "judge"))


def _deploy(config: SynthesisConfig) -> Stage:
    run = run_of(config)
    roles = [role for role in ROLES if (role != "pose" or run.questions is None) and (role != "judge" or run.judge)]
    provenance = {
        "generator": "llm",
        "seed": config.seed,
        "models": {role: run.settings(role).model for role in roles},
        "scaling": run.scaling.model_dump(),
    }
    distracting = _asker(config, "deploy", "distract", "deploy")
    return deploy.Deploy(_asker(config, "deploy"), distracting, provenance, config.split)


def _ledger(config: SynthesisConfig) -> dict[str, Totals]:
    """Of the record; what is played back costs nothing."""
    return {} if run_of(config).replay is not None else ledger(ExchangeFolder(exchange_folder(config)))


def _check(config: SynthesisConfig, last: Environment) -> None:
    index = last.provenance.get("index")
    if last.provenance.get("generator") != "llm" or not isinstance(index, int):
        raise InputError("the store to resume was not made by the llm generator", file=config.out)
    run = run_of(config)
    given = read_given(run)
    item = given_of(run, given, config.scenarios, index)
    if not isinstance(item, Occasion) and item.question != last.question:
        raise InputError(
            f"the last environment (item {index}) is not of question {index + 1} of {run.questions}; resume with the "
            "same questions, in the same order",
            file=config.out,
        )
