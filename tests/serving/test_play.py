"""Keeping score of somebody else's agent."""

from __future__ import annotations

import json
import multiprocessing
from types import SimpleNamespace
from typing import Any

import pytest

from ftrl.environments import Environment, EnvironmentStore, source_id
from ftrl.errors import InputError
from ftrl.rewards import Unscorable, score_trajectory
from ftrl.sandbox import CallResult, CallStatus, Sandbox
from ftrl.serving import Play, Playground, Toolbox
from ftrl.synthesis import SynthesisConfig, synthesize

CAPITAL = ("capital_of", {"country": "Atlantis"})
POPULATION = ("population_of", {"city": "Poseidonis"})


@pytest.fixture
def play(task: SimpleNamespace, sandbox: Sandbox) -> Play:
    return Play(task.environment, task.sources, sandbox)


def test_who_makes_the_golden_calls_has_full_marks_under_every_profile(play: Play) -> None:
    for turn in ([CAPITAL], [POPULATION]):
        (reply,) = play.turn(turn)
        assert not reply.failed
    for profile in ("strict", "reference"):
        assert play.metrics(profile).f1 == 1.0
        assert play.solved(profile)
    assert play.calls == 2


def test_who_says_nothing_has_nothing(play: Play) -> None:
    assert play.turn([]) == []
    metrics = play.metrics()
    assert (metrics.precision, metrics.recall, metrics.f1) == (0.0, 0.0, 0.0)
    assert not play.solved()


def test_calls_that_fail_cost_precision_and_answer_in_order(play: Play) -> None:
    replies = play.turn([("capital_of", {"land": "Mu"}), CAPITAL, ("no_such_tool", None), ("capital_of", "not JSON")])
    assert [reply.failed for reply in replies] == [True, False, True, True]
    metrics = play.metrics()
    assert (metrics.precision, metrics.recall) == (0.25, 0.5)


def test_arguments_count_the_same_as_objects_and_as_the_text_that_a_model_wrote(
    task: SimpleNamespace, sandbox: Sandbox
) -> None:
    for spelled in (json.dumps, dict):
        play = Play(task.environment, task.sources, sandbox)
        for name, arguments in (CAPITAL, POPULATION):
            play.turn([(name, spelled(arguments))])
        assert play.metrics().f1 == 1.0


def test_the_score_is_that_of_the_same_turns_in_the_published_format(
    play: Play, task: SimpleNamespace, sandbox: Sandbox
) -> None:
    turns: list[list[tuple[str, Any]]] = [
        [CAPITAL, ("capital_of", {"country": "Lemuria"})],
        [("population_of", {"city": "Nowhere"})],
        [POPULATION],
    ]
    for turn in turns:
        play.turn(turn)
    texts = [
        "\n".join(f"<tool_call>{json.dumps({'name': n, 'arguments': a})}</tool_call>" for n, a in turn)
        for turn in turns
    ]
    published = score_trajectory(texts, task.environment.unsolved(), task.sources, sandbox)
    metrics = play.metrics("reference")
    assert (metrics.precision, metrics.recall, metrics.f1) == (published.precision, published.recall, published.f1)


def test_a_turn_that_failed_through_us_is_not_recorded_and_may_be_made_again(
    task: SimpleNamespace, sandbox: Sandbox
) -> None:
    class Moody:
        down = True

        def run(self, calls: Any) -> list[CallResult]:
            if self.down:
                return [CallResult("no worker", CallStatus.INFRASTRUCTURE, 0.0) for _ in calls]
            return sandbox.run(calls)

    moody = Moody()
    play = Play(task.environment, task.sources, moody)  # type: ignore[arg-type]
    with pytest.raises(Unscorable):
        play.turn([CAPITAL])
    moody.down = False
    play.turn([CAPITAL])
    play.turn([POPULATION])
    assert (play.calls, play.metrics().f1) == (2, 1.0)


def test_a_profile_that_does_not_exist_is_refused(play: Play) -> None:
    with pytest.raises(InputError, match="no scoring profile 'lenient'"):
        play.metrics("lenient")


def test_a_toolbox_holds_nothing_that_gives_the_answer_away(task: SimpleNamespace, sandbox: Sandbox) -> None:
    toolbox = Toolbox(task.environment, task.sources, sandbox)

    def reachable(thing: Any, depth: int = 0) -> str:
        if isinstance(thing, Sandbox) or depth > 6:
            return ""
        if isinstance(thing, dict):
            return "".join(f"{key}{reachable(value, depth + 1)}" for key, value in thing.items() if key != "_sources")
        if isinstance(thing, (tuple, list)):
            return "".join(reachable(one, depth + 1) for one in thing)
        return reachable(vars(thing), depth + 1) if hasattr(thing, "__dict__") else str(thing)

    seen = reachable(toolbox)
    assert task.question in seen
    for secret in (task.answer, "Poseidonis", "1200", "PROVENANCE"):
        assert secret not in seen


def test_a_playground_knows_its_splits_and_tells_which_tasks_are_sound(store: str, sandbox: Sandbox) -> None:
    playground = Playground(store, workers=1)
    ids = EnvironmentStore.open(store).ids()
    assert playground.splits == {"train": tuple(ids[:2]), "test": (ids[2],)}
    assert playground.sound(ids[0]) is True
    with pytest.raises(InputError, match="no environment with the id"):
        playground.play("0" * 64)
    playground.sandbox().close()


def test_a_task_whose_golden_calls_do_not_bring_back_its_golds_is_not_sound(
    task: SimpleNamespace, tmp_path: Any
) -> None:
    def made(**changes: Any) -> Environment:
        fields = {**dict(task.environment), "id": "", **changes}
        return Environment(**fields)

    lying = task.environment.golds[0].model_copy(update={"value": "Ys"})
    with EnvironmentStore.create(str(tmp_path / "store")) as writer:
        broken = made(golds=(lying, task.environment.golds[1]))
        untraced = made(trace=())
        for environment in (broken, untraced):
            writer.add(environment, task.sources)
    playground = Playground(str(tmp_path / "store"), workers=1)
    assert playground.sound(broken.id) is False
    assert playground.sound(untraced.id) is None
    playground.sandbox().close()


def _play_in_a_child(playground: Playground, identity: str, told: Any) -> None:
    told.put(playground.sound(identity))


def test_a_playground_survives_a_fork_with_a_sandbox_of_its_own(store: str) -> None:
    playground = Playground(store, workers=1)
    identity = playground.splits["train"][0]
    assert playground.sound(identity)
    context = multiprocessing.get_context("fork")
    told = context.Queue()
    child = context.Process(target=_play_in_a_child, args=(playground, identity, told))
    child.start()
    assert told.get(timeout=60) is True
    child.join(30)
    assert playground.sound(identity)
    playground.sandbox().close()


def test_every_task_of_the_generator_is_solved_by_its_golden_calls_and_by_no_fewer(tmp_path: Any) -> None:
    synthesize(SynthesisConfig(out=str(tmp_path / "world"), count=8, seed=11))
    playground = Playground(str(tmp_path / "world"), workers=2)
    for environment in playground.tasks:
        assert playground.sound(environment.id) is True
        play = playground.play(environment.id)
        for step in environment.trace[:-1]:
            play.turn([(step.tool, step.arguments)])
        assert play.metrics().f1 < 1.0
        assert {source_id(text) for text in playground.tasks.sources(environment).values()} == set(
            environment.implementations.values()
        )
    playground.sandbox().close()
