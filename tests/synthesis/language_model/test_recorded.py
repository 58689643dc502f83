"""A strong model's recorded answers to fourteen questions: real environments appear, and nobody is asked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ftrl.audit import Auditor, Grade
from ftrl.commands import synth
from ftrl.environments import EnvironmentStore

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "llm"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EnvironmentStore:
    app = typer.Typer()
    app.callback()(lambda: None)
    synth.register(app)
    out = str(tmp_path_factory.mktemp("recorded") / "store")
    given = ["--questions", str(EXAMPLES / "questions.jsonl"), "--replay", str(EXAMPLES / "recording.jsonl.gz")]
    result = CliRunner().invoke(app, ["synth", "--generator", "llm", "--out", out, *given])
    assert result.exit_code == 0, result.output
    return EnvironmentStore.open(out)


def test_every_recorded_question_becomes_an_environment(store):
    assert len(store) == 14
    assert min(Counter(environment.scenario for environment in store).values()) >= 3


def test_the_audit_grades_them_all_a(store):
    with Auditor(workers=2) as auditor:
        audits = [auditor.audit(environment, store.sources(environment)) for environment in store]
    assert {audit.grade for audit in audits} == {Grade.A}


def test_their_code_is_not_trivial(store):
    for environment in store:
        for source in store.sources(environment).values():
            assert source.count("raise ") >= 3, "realistic errors"
            assert len(source) > 500
