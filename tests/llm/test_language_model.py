"""Asking a model through a real server that speaks OpenAI's protocol, and fails as real ones do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel

from ftrl.errors import FtrlError, InputError
from ftrl.llm import (
    BudgetSpent,
    ExchangeFolder,
    LanguageModel,
    LocalBudget,
    Message,
    ModelFailure,
    ModelRefused,
    ModelSettings,
    Price,
    Prompt,
    Unusable,
    ask,
    ledger,
    read_recording,
    record_to,
)
from tests.synthesis.language_model.scripted_model import Fault, ScriptedServer, scripted_server


class Capital(BaseModel):
    city: str
    size: Literal["small", "large"] = "small"


PARIS = json.dumps({"city": "Paris", "size": "large"})
PROMPT = Prompt("capital.v1", "You know capitals.", "What is the capital of France?")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server(lambda stage, system, user: PARIS) as server:
        yield server


@pytest.fixture
def model(server: ScriptedServer, tmp_path: Path) -> Callable[..., LanguageModel]:
    def make(budget: LocalBudget | None = None, **settings: object) -> LanguageModel:
        values = {"model": "openai-api/local/m", "base_url": server.url, "retries": 0, **settings}
        exchanges = ExchangeFolder(str(tmp_path / "exchanges"))
        return LanguageModel(ModelSettings.model_validate(values), exchanges, budget or LocalBudget(), "stage")

    return make


async def fine(answer: Capital) -> Unusable | None:
    return None


def asked(model: LanguageModel, check: object = fine, **options: int) -> Capital | Unusable:
    return asyncio.run(ask(model, PROMPT, Capital, check, item=0, **options))  # type: ignore[arg-type]


def test_an_answer_has_the_type_that_was_asked_for(model, server):
    assert asked(model()) == Capital(city="Paris", size="large")
    assert "response_format" in server.bodies[0]
    schema = server.bodies[0]["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["city", "size"]
    assert schema["additionalProperties"] is False


def test_no_schema_is_sent_to_a_server_that_refuses_them(model, server):
    assert asked(model(structured=False)) == Capital(city="Paris", size="large")
    assert "response_format" not in server.bodies[0]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(when=lambda asked: asked.seen == 0, status=429, headers={"retry-after": "1"}),
        Fault(when=lambda asked: asked.seen == 0, status=500),
        Fault(when=lambda asked: asked.seen == 0, status=503),
        Fault(when=lambda asked: asked.seen == 0, cut=True),
    ],
    ids=["429", "500", "503", "cut"],
)
def test_what_fails_for_no_reason_of_its_own_is_asked_again(model, server, fault):
    server.faults = [fault]
    assert asked(model()) == Capital(city="Paris", size="large")
    assert len(server.requests) == 2
    assert sum(server.answered.values()) == 1


def test_a_server_that_stays_broken_is_our_failure_and_nobodys_answer(model, server, tmp_path):
    server.faults = [Fault(when=lambda asked: True, status=500)]
    with pytest.raises(ModelFailure, match=r"openai-api/local/m can't be asked.*500"):
        asked(model())
    assert list(ExchangeFolder(str(tmp_path / "exchanges"))) == []


def test_a_key_that_is_refused_is_not_tried_again(model, server):
    server.faults = [Fault(when=lambda asked: True, status=401)]
    with pytest.raises(ModelRefused):
        asked(model(retries=5))
    assert len(server.requests) == 1


def test_an_answer_that_takes_too_long_is_our_failure(model, server):
    server.faults = [Fault(when=lambda asked: True, delay=3)]
    with pytest.raises(ModelFailure):
        asked(model(timeout=1))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("I'd say Paris.", "there is no JSON object in it"),
        ('{"city": "Paris", "size": ', "no JSON object|not one JSON object"),
        ('{"size": "large"}', "city: Field required"),
        ('{"city": "Paris", "size": "huge"}', "size: Input should be 'small' or 'large'"),
        ('{"city": "Paris"} {"city": "Rome"}', "not one JSON object"),
        ("", "no JSON object"),
    ],
)
def test_an_answer_that_cant_be_read_is_asked_for_again_with_the_reason_and_then_refused(model, server, text, why):
    server.faults = [Fault(when=lambda asked: True, answer=lambda asked, right: text)]
    found = asked(model(), attempts=3)
    assert isinstance(found, Unusable)
    assert found.rule == "answer_unreadable"
    assert len(server.requests) == 3
    told = server.bodies[1]["messages"]
    assert [message["role"] for message in told] == ["system", "user", "assistant", "user"]
    assert found.detail in told[-1]["content"]
    assert any(part in found.detail for part in why.split("|"))


def test_an_answer_is_mended_when_the_reason_is_told(model, server):
    server.faults = [Fault(when=lambda asked: asked.turns == 2, answer=lambda asked, right: "Paris")]
    assert asked(model()) == Capital(city="Paris", size="large")
    assert len(server.requests) == 2


def test_an_answer_cut_off_at_the_token_limit_is_not_taken_for_one(model, server):
    server.faults = [Fault(when=lambda asked: True, stop="length")]
    found = asked(model(), attempts=2)
    assert isinstance(found, Unusable)
    assert "max_tokens" in found.detail


def test_prose_and_fences_around_an_answer_do_no_harm(model, server):
    server.faults = [Fault(when=lambda asked: True, answer=lambda asked, right: f"Sure!\n```json\n{right}\n```")]
    assert asked(model()) == Capital(city="Paris", size="large")


def test_a_check_that_objects_gets_another_answer(model, server):
    async def no_paris(answer: Capital) -> Unusable | None:
        return Unusable("wrong_city", "it is not Paris") if answer.city == "Paris" else None

    server.faults = [Fault(when=lambda asked: asked.turns > 2, answer=lambda asked, right: '{"city": "Lyon"}')]
    assert asked(model(), no_paris) == Capital(city="Lyon")
    assert "wrong_city: it is not Paris" in server.bodies[1]["messages"][-1]["content"]


def test_what_was_asked_before_is_never_asked_again(model, server):
    asked(model())
    asked(model())
    assert len(server.requests) == 1


def test_a_question_asked_twice_at_the_same_time_is_paid_once(model, server):
    server.faults = [Fault(when=lambda asked: True, delay=0.3)]

    async def both() -> None:
        one = model()
        await asyncio.gather(*(ask(one, PROMPT, Capital, fine, item=item) for item in (0, 1)))

    asyncio.run(both())
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "change", [{"temperature": 0.3}, {"max_tokens": 99}, {"model": "openai-api/local/other"}, {"seed": 3}]
)
def test_whatever_can_change_an_answer_asks_anew(model, server, change):
    asked(model())
    asked(model(**change))
    assert len(server.requests) == 2


@pytest.mark.parametrize("change", [{"timeout": 99}, {"connections": 2}, {"price": Price(input=1, output=2)}])
def test_what_can_not_does_not(model, server, change):
    asked(model())
    asked(model(**change))
    assert len(server.requests) == 1


def test_another_sample_of_the_same_question_is_another_question(model, server):
    asked(model(), sample=0)
    asked(model(), sample=1)
    assert len(server.requests) == 2


def test_the_ledger_counts_to_the_token(model, server, tmp_path):
    server.faults = [Fault(when=lambda asked: asked.turns == 2, answer=lambda asked, right: "Paris")]
    asked(model(price=Price(input=3.0, output=15.0)))
    totals = ledger(ExchangeFolder(str(tmp_path / "exchanges")))
    assert list(totals) == ["stage", "all"]
    assert totals["all"].calls == 2
    assert totals["all"].input == server.input_tokens
    assert totals["all"].output == server.output_tokens
    assert totals["all"].usd == pytest.approx((3 * server.input_tokens + 15 * server.output_tokens) / 1e6)


def test_money_is_unknown_where_no_price_is_known(model, tmp_path):
    asked(model())
    assert ledger(ExchangeFolder(str(tmp_path / "exchanges")))["all"].usd is None


def test_a_budget_of_tokens_ends_the_asking_and_keeps_what_was_paid_for(model, server, tmp_path):
    budget = LocalBudget(tokens=1)
    asked(model(budget))
    with pytest.raises(BudgetSpent, match=r"go on with --resume and a larger budget"):
        asked(model(budget), sample=1)
    assert len(server.requests) == 1
    assert len(list(ExchangeFolder(str(tmp_path / "exchanges")))) == 1


def test_a_budget_of_dollars_needs_a_price(model):
    with pytest.raises(FtrlError, match="--price"):
        asked(model(LocalBudget(usd=1.0)))


def test_what_is_in_the_record_costs_nothing_more(model):
    asked(model())
    budget = LocalBudget(tokens=1, spent_tokens=1)
    assert isinstance(asked(model(budget)), Capital)


@pytest.mark.parametrize("name", ["recording.jsonl", "recording.jsonl.gz"])
def test_a_recording_answers_without_a_model(model, server, tmp_path, name):
    asked(model())
    path = str(tmp_path / name)
    assert record_to(path, iter(ExchangeFolder(str(tmp_path / "exchanges"))), {"who": "us"}) == 1
    recording = read_recording(path)
    assert recording.header["who"] == "us"
    settings = ModelSettings(model="openai-api/local/m", base_url="http://127.0.0.1:1/v1")
    player = LanguageModel(settings, recording, LocalBudget(), "stage")
    assert asked(player) == Capital(city="Paris", size="large")
    assert len(server.requests) == 1


def test_a_recording_says_what_it_lacks(model, tmp_path):
    path = str(tmp_path / "recording.jsonl")
    record_to(path, iter(()), {})
    player = LanguageModel(ModelSettings(model="openai-api/local/m"), read_recording(path), LocalBudget(), "stage")
    with pytest.raises(FtrlError, match=r"has no answer to what is asked here.*capital of France"):
        asked(player)


@pytest.mark.parametrize(
    ("change", "field"), [({"key": "0" * 64}, "key"), ({"text": None}, "text"), ({"usage": "many"}, "usage")]
)
def test_a_recording_that_was_tampered_with_is_refused_with_line_and_field(model, tmp_path, change, field):
    asked(model())
    path = tmp_path / "recording.jsonl"
    record_to(str(path), iter(ExchangeFolder(str(tmp_path / "exchanges"))), {})
    head, line = path.read_text().splitlines()
    path.write_text(f"{head}\n{json.dumps({**json.loads(line), **change})}\n")
    with pytest.raises(InputError) as raised:
        read_recording(str(path))
    assert (raised.value.line, raised.value.field) == (2, field)


def test_a_file_that_is_not_compressed_is_no_compressed_recording(tmp_path):
    path = tmp_path / "x.jsonl.gz"
    path.write_text("{}")
    with pytest.raises(InputError, match="no compressed recording"):
        read_recording(str(path))


def test_any_other_file_is_no_recording(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"question": "?"}\n')
    with pytest.raises(InputError, match="no recording"):
        read_recording(str(path))


def test_the_record_lies_on_s3_as_well(server, bucket):
    folder = ExchangeFolder(f"{bucket}/exchanges")
    settings = ModelSettings(model="openai-api/local/m", base_url=server.url, retries=0)
    for _ in range(2):
        asked(LanguageModel(settings, folder, LocalBudget(), "stage"))
    assert len(server.requests) == 1
    assert [exchange.text for exchange in folder] == [PARIS]


def test_lone_surrogates_in_an_answer_are_kept(model, server, tmp_path):
    server.faults = [Fault(when=lambda asked: True, answer=lambda asked, right: '{"city": "\\ud83d"}')]
    assert isinstance(asked(model()), Capital)
    assert len(list(ExchangeFolder(str(tmp_path / "exchanges")))) == 1


def test_a_conversation_is_recorded_with_its_messages(model, tmp_path):
    asked(model())
    (exchange,) = ExchangeFolder(str(tmp_path / "exchanges"))
    assert exchange.question.messages == (
        Message(role="system", content=PROMPT.system),
        Message(role="user", content=PROMPT.user),
    )
    assert (exchange.prompt, exchange.stage, exchange.item) == ("capital.v1", "stage", 0)
