"""``ftrl synth --generator llm``: its options, its report, recording and playing back."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from ftrl.commands import synth
from ftrl.commands.synth_model import write_recording
from ftrl.environments import EnvironmentStore
from ftrl.errors import FtrlError, InputError
from ftrl.synthesis import synthesize
from ftrl.synthesis.language_model.prompts import versions
from tests.synthesis.language_model.scripted_model import Fault, question_line


@pytest.fixture
def questions(tmp_path):
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(question_line(index)) + "\n" for index in (0, 2)))
    return str(path)


@pytest.fixture
def run(tmp_path, server, questions):
    app = typer.Typer()
    app.callback()(lambda: None)
    synth.register(app)
    asking = ("--model", "openai-api/local/scripted", "--model-url", server.url, "--questions", questions)

    def invoke(*words: str, out: str = "store", given: tuple[str, ...] = asking):
        command = ["synth", "--generator", "llm", "--workers", "1", "--out", str(tmp_path / out)]
        return CliRunner().invoke(app, [*command, *given, *words])

    return invoke


def test_all_questions_are_used_and_the_report_says_what_they_cost(run, server):
    result = run("--price", "1,2")
    assert result.exit_code == 0, result.output
    assert "2 environments written" in result.stdout
    dollars = (server.input_tokens + 2 * server.output_tokens) / 1e6
    assert f"{server.input_tokens:,}" in result.stdout
    assert f"${dollars / 2:.4f}" in result.stdout


def test_the_summary_says_what_was_sent_back_and_why(run, server):
    server.faults = [
        Fault(lambda asked: asked.stage == "document" and asked.turns == 2, lambda asked, right: right[:-9])
    ]
    result = run()
    assert "sent back: 2 answer_unreadable" in next(x for x in result.stdout.splitlines() if "document " in x)


def test_money_is_said_to_be_unknown_where_no_price_is(run):
    result = run()
    assert "unknown" in result.stdout
    assert "an unknown amount of money" in result.stdout


def test_a_recording_gives_the_same_environments_without_a_model(run, server, tmp_path, questions):
    recording = str(tmp_path / "recording.jsonl")
    assert run("--record", recording).exit_code == 0
    asked = len(server.requests)
    result = run("--replay", recording, out="played", given=("--questions", questions))
    assert result.exit_code == 0, result.output
    assert len(server.requests) == asked
    first, second = (list(EnvironmentStore.open(str(tmp_path / name))) for name in ("store", "played"))
    assert first == second


def test_a_recording_of_an_older_prompt_is_played_to_it(run, config, tmp_path):
    made = config(0, out="older", prompts={"deploy": "deploy.v1"})
    synthesize(made)
    recording = str(tmp_path / "recording.jsonl")
    write_recording(made, recording)
    result = run("--replay", recording, out="played", given=("--questions", made.language_model.questions))
    assert result.exit_code == 0, result.output
    (environment,) = EnvironmentStore.open(str(tmp_path / "played"))
    assert environment.provenance["prompts"]["deploy"] == "deploy.v1" != versions("deploy")[0]


def test_a_recording_of_several_versions_is_played_to_each(run, config, tmp_path):
    shared = str(tmp_path / "exchanges")
    older = config(0, out="older", exchanges=shared, prompts={"deploy": "deploy.v1"})
    newer = config(2, out="newer", exchanges=shared)
    for made in (older, newer):
        synthesize(made)
    recording, questions = str(tmp_path / "recording.jsonl"), tmp_path / "both.jsonl"
    write_recording(newer, recording)
    questions.write_text("".join(json.dumps(question_line(index)) + "\n" for index in (0, 2)))
    assert run("--replay", recording, out="played", given=("--questions", str(questions))).exit_code == 0
    played = EnvironmentStore.open(str(tmp_path / "played"))
    assert [one.provenance["prompts"]["deploy"] for one in played] == ["deploy.v1", versions("deploy")[0]]


def test_a_recording_is_of_its_questions_only(run, tmp_path):
    recording = str(tmp_path / "recording.jsonl")
    run("--record", recording)
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps(question_line(1)) + "\n")
    result = run("--replay", recording, out="played", given=("--questions", str(other)))
    assert isinstance(result.exception, FtrlError)
    assert "has no answer to what is asked here" in str(result.exception)


def test_what_was_asked_for_one_store_can_serve_another(run, server, tmp_path):
    exchanges = str(tmp_path / "exchanges")
    run("--exchanges", exchanges)
    asked = len(server.requests)
    assert run("--exchanges", exchanges, out="again").exit_code == 0
    assert len(server.requests) == asked


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--topics", "x.txt"), "one of --questions"),
        (("--model", "gpt"), "PROVIDER/NAME"),
        (("--stage-model", "deploy"), "STAGE=PROVIDER/NAME"),
        (("--stage-model", "cook=openai/x"), "no role cook"),
        (("--scaling", "expand"), "expand=2"),
        (("--scaling", "stretch=2"), "stretch"),
        (("--price", "1"), "two numbers, such as 0.15,0.60"),
        (("--price", "openai/x=1;2"), "two numbers, such as 0.15,0.60"),
        (("--price", "-1,2"), "greater than or equal to 0"),
        (("--budget-usd", "0"), "greater than 0"),
        (("--replay", "recording.jsonl"), "no such file"),
    ],
)
def test_bad_usage_is_an_input_error_that_says_what_to_write(run, words, says):
    result = run(*words)
    assert isinstance(result.exception, InputError)
    assert says in str(result.exception)
