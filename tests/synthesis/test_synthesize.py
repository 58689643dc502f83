from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from ftrl.environments import EnvironmentStore, Scenario
from ftrl.environments.golden import golden_turns
from ftrl.errors import FtrlError, InputError
from ftrl.sandbox import Call, CallResult, CallStatus, Sandbox
from ftrl.synthesis import SynthesisConfig, SynthesisReport, synthesize
from ftrl.synthesis.candidate import Candidate
from ftrl.synthesis.pipeline import generator, run, writing
from ftrl.synthesis.tables.facts import Facts


def constant_tool(made: Candidate) -> Candidate:
    """The candidate with a golden tool that gives its answer whatever it is asked."""
    step = made.environment.trace[0]
    deployment = made.deployments[step.tool]
    start = deployment.source[: deployment.source.rindex("    return")]
    constant = replace(deployment, source=f"{start}    return '{step.answer}'\n")
    return replace(made, deployments={**made.deployments, step.tool: constant})


@pytest.fixture
def config(tmp_path) -> SynthesisConfig:
    return SynthesisConfig(out=str(tmp_path / "store"), count=12)


def test_a_run_writes_verified_environments_with_their_sources_and_origin(config):
    report = synthesize(config)
    store = EnvironmentStore.open(config.out)
    assert report.accepted == len(store) == 12
    assert report.scenarios == {scenario.value: 3 for scenario in sorted(Scenario)}
    for environment in store:
        sources = store.sources(environment)
        assert list(sources) == [tool["function"]["name"] for tool in environment.tools]
        assert environment.provenance["generator"] == "tables"
        assert environment.provenance["seed"] == 0
        assert environment.provenance["verified"]["golden"] == len(environment.trace)
        assert golden_turns(environment)[-1] == environment.answer


def test_two_runs_with_the_same_seed_write_the_same_ids_in_the_same_order(config, tmp_path):
    synthesize(config)
    again = config.model_copy(update={"out": str(tmp_path / "again")})
    synthesize(again)
    assert EnvironmentStore.open(config.out).ids() == EnvironmentStore.open(again.out).ids()


def test_train_and_test_share_no_name(config, tmp_path):
    synthesize(config)
    test = config.model_copy(update={"out": str(tmp_path / "test"), "split": "test"})
    synthesize(test)
    names = []
    for path in (config.out, test.out):
        store = EnvironmentStore.open(path)
        texts = [str(value) for e in store for s in e.trace for value in (s.answer, *s.arguments.values())]
        names.append({text for text in texts if not text.isdigit()})
    assert names[0]
    assert not names[0] & names[1]
    assert {environment.split for environment in store} == {"test"}


def test_resume_goes_on_behind_the_last_item_and_ends_like_one_run(config, tmp_path):
    synthesize(config.model_copy(update={"count": 5}))
    report = synthesize(config.model_copy(update={"resume": True}))
    assert (report.kept, report.accepted, report.done) == (5, 7, 12)
    whole = config.model_copy(update={"out": str(tmp_path / "whole")})
    synthesize(whole)
    assert EnvironmentStore.open(config.out).ids() == EnvironmentStore.open(whole.out).ids()


def test_resume_of_a_finished_store_changes_nothing(config):
    synthesize(config)
    before = EnvironmentStore.open(config.out).ids()
    report = synthesize(config.model_copy(update={"resume": True}))
    assert (report.kept, report.accepted) == (12, 0)
    assert EnvironmentStore.open(config.out).ids() == before


def test_resume_with_other_options_is_refused(config):
    synthesize(config)
    with pytest.raises(InputError, match="not what these options make"):
        synthesize(config.model_copy(update={"resume": True, "seed": 1, "count": 20}))


def test_a_run_that_breaks_off_keeps_the_blocks_before_and_can_be_resumed(config, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "BATCH", 2)
    monkeypatch.setattr(run, "PROGRESS_SECONDS", 0.0)
    monkeypatch.setattr(writing, "BLOCK", 4)

    def interrupt(report: SynthesisReport) -> None:
        if report.done >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize(config, interrupt)
    assert len(EnvironmentStore.open(config.out)) == 4
    synthesize(config.model_copy(update={"resume": True}))
    whole = config.model_copy(update={"out": str(tmp_path / "whole")})
    synthesize(whole)
    assert EnvironmentStore.open(config.out).ids() == EnvironmentStore.open(whole.out).ids()


def test_an_item_that_is_rejected_is_drawn_anew_and_counted(config, monkeypatch):
    def build(config: SynthesisConfig, facts: Facts, index: int, attempt: int) -> Candidate:
        made = honest(config, facts, index, attempt)
        return constant_tool(made) if (index, attempt) in ((2, 0), (4, 0), (4, 1), (4, 2)) else made

    honest = generator.build
    monkeypatch.setattr(generator, "build", build)
    report = synthesize(config)
    store = EnvironmentStore.open(config.out)
    assert report.rejections == {"counterfactual_call_ticks": 4}
    assert (report.candidates, report.accepted, report.given_up) == (15, 11, 1)
    assert [e.provenance["index"] for e in store] == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]
    assert store[2].provenance["attempt"] == 1
    assert report.examples[0].startswith("item 2: counterfactual_call_ticks: ")


def test_a_run_without_any_sound_item_fails_and_says_why(config, monkeypatch):
    honest = generator.build
    monkeypatch.setattr(generator, "build", lambda *item: constant_tool(honest(*item)))
    with pytest.raises(FtrlError, match="counterfactual_call_ticks"):
        synthesize(config.model_copy(update={"count": 2}))


def test_a_sandbox_that_keeps_failing_stops_the_run_and_accepts_nothing(config, monkeypatch):
    def fail(self: Sandbox, calls: list[Call]) -> list[CallResult]:
        return [CallResult("the worker is gone", CallStatus.INFRASTRUCTURE, 0.0) for _ in calls]

    monkeypatch.setattr(Sandbox, "run", fail)
    with pytest.raises(FtrlError, match="sandbox failed"):
        synthesize(config)
    with pytest.raises(InputError):
        EnvironmentStore.open(config.out)


def test_a_call_that_failed_by_our_fault_is_made_again(config, monkeypatch):
    runs = []
    honest = Sandbox.run

    def fail_first(self: Sandbox, calls: list[Call]) -> list[CallResult]:
        runs.append(len(calls))
        results = honest(self, calls)
        if len(runs) == 1:
            results[3] = CallResult("the worker is gone", CallStatus.INFRASTRUCTURE, 0.0)
        return results

    monkeypatch.setattr(Sandbox, "run", fail_first)
    report = synthesize(config)
    assert report.accepted == report.candidates == 12
    assert runs[0] > 12
    assert runs[1] == 1, "only the call that failed is made again"


def test_a_store_that_is_there_is_not_touched(config):
    synthesize(config)
    with pytest.raises(InputError, match="already"):
        synthesize(config)


def test_the_llm_generator_needs_a_model(config):
    with pytest.raises(InputError, match="needs a model"):
        synthesize(config.model_copy(update={"generator": "llm"}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0},
        {"seed": -1},
        {"distractors": (4, 2)},
        {"scenarios": ()},
        {"split": "dev"},
        {"style": "x"},
        {"n": 1},
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValidationError):
        SynthesisConfig(out="unused", **wrong)
