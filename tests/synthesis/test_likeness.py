"""Near-duplicates and contamination: what is too much like another task is told from what merely looks like it."""

from __future__ import annotations

import json

import pytest

from ftrl.environments import Environment, EnvironmentStore, Gold, Scenario, SubQuestion, export_published
from ftrl.errors import InputError
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.synthesis.pipeline import generator
from ftrl.synthesis.pipeline.contamination import Contamination
from ftrl.synthesis.pipeline.journal import Journal
from ftrl.synthesis.pipeline.likeness import Bar, LikenessIndex
from ftrl.synthesis.pipeline.sketch import sketch, text_similarity
from ftrl.synthesis.pipeline.writing import NEAR_DUPLICATE

QUESTION = "Which company published the novel {subject}, and in which town does that company have its main office?"


def task(
    question: str = QUESTION,
    subject: str = "Harbour Lights",
    answer: str = "Brindle Press",
    tool: str = "find_publisher",
) -> Environment:
    document = {
        "type": "function",
        "function": {
            "name": tool,
            "description": f"Looks up what is on record about a work by its title, as far as {tool} knows it.",
            "parameters": {
                "type": "object",
                "properties": {"title": {"type": "string", "description": "The title, as it is written."}},
                "required": ["title"],
            },
        },
    }
    return Environment(
        scenario=Scenario.SINGLE_HOP,
        question=question.format(subject=subject),
        answer=answer,
        tools=(document,),
        implementations={tool: "0" * 64},
        golds=(Gold(tool=tool, value=answer, sub_question="q1"),),
        trace=(SubQuestion(id="q1", text="Who?", answer=answer, tool=tool, arguments={"title": subject}),),
    )


@pytest.fixture
def index():
    index = LikenessIndex(NEAR_DUPLICATE)
    yield index
    index.close()


def like(index: LikenessIndex, first: Environment, second: Environment) -> bool:
    index.add("first", sketch(first))
    return index.find(sketch(second)) is not None


def test_the_same_question_in_slightly_other_words_is_a_near_duplicate(index):
    other = "Which company published the novel {subject}, and in which town does that company have its office?"
    assert like(index, task(tool="find_publisher"), task(other, tool="look_for_editions"))


def test_the_same_tools_asked_for_the_same_thing_are_a_near_duplicate_however_it_is_worded(index):
    assert like(index, task(), task("Tell me who brought out {subject}."))


def test_one_template_filled_with_other_things_is_another_task(index):
    assert not like(index, task(), task(subject="Winter Wheat", answer="Oldham and Sons"))


def test_another_question_about_the_same_thing_is_another_task(index):
    assert not like(index, task(), task("When was {subject} first shown?", answer="1987-03-02", tool="premiere_dates"))


def test_the_same_question_with_other_answers_can_not_stand_in_one_store(index):
    assert like(index, task(), task(answer="Another Press", tool="other_tool"))


def test_letters_large_or_small_and_punctuation_make_no_difference(index):
    assert like(
        index, task(), task(QUESTION.upper().replace("{SUBJECT}", "HARBOUR  LIGHTS").replace(",", ";"), tool="x")
    )


def test_a_sketch_is_the_same_in_every_process_and_says_how_alike_texts_are():
    one, other = sketch(task()), sketch(task(subject="Winter Wheat"))
    assert one.question[:3].tolist() == sketch(task()).question[:3].tolist()
    assert one.values == sketch(task()).values
    assert text_similarity(one.question, one.question) == 1.0
    assert 0.4 < text_similarity(one.question, other.question) < 1.0
    assert sorted(one.values)[0] == sorted(sketch(task()).values)[0]


def test_what_a_document_lists_as_choices_is_no_value_and_a_name_within_a_list_is_one():
    def asked(subject: object) -> Environment:
        made = task(subject="Winter Wheat")
        document = json.loads(json.dumps(made.tools[0]))
        document["function"]["parameters"]["properties"]["detail"] = {"type": "string", "enum": ["value", "record"]}
        step = made.trace[0].model_copy(update={"arguments": {"title": subject, "detail": "value", "exact": True}})
        return made.model_copy(update={"tools": (document,), "trace": (step,)})

    plain = sketch(task(subject="Winter Wheat")).values
    assert sketch(asked("Winter Wheat")).values == plain
    assert sketch(asked(["Winter Wheat"])).values == plain
    assert sketch(asked({"title": "Winter Wheat"})).values == plain


def test_nearly_all_near_duplicates_are_found_among_many(index):
    names = [
        f"{a}{b}ton {c}field" for a in "BDFGK" for b in ("al", "er", "in", "om") for c in ("Green", "Hal", "Mar", "Sun")
    ]
    for name in names:
        index.add(name, sketch(task(subject=name, answer=f"{name} House")))
    changed = QUESTION.replace("main office", "office")
    found = [index.find(sketch(task(changed, subject=name, answer=f"{name} House", tool="y"))) for name in names]
    right = sum(each is not None and each.name == name for each, name in zip(found, names, strict=True))
    assert right >= 0.95 * len(names)


def test_a_bar_decides_how_alike_is_too_alike():
    strict, lax = LikenessIndex(Bar(0.95, 0.95)), LikenessIndex(Bar(0.3, 0.95))
    other = task("Which company published the novel {subject}?", tool="z")
    assert not like(strict, task(), other)
    assert like(lax, task(), other)


# --- in the pipeline


@pytest.fixture
def config(tmp_path) -> SynthesisConfig:
    return SynthesisConfig(out=str(tmp_path / "store"), count=16)


def test_nothing_that_overlaps_with_an_evaluation_set_gets_into_a_store(config, tmp_path):
    synthesize(config.model_copy(update={"out": str(tmp_path / "benchmark"), "count": 6}))
    report = synthesize(config.model_copy(update={"exclude": (str(tmp_path / "benchmark"),)}))
    benchmark = EnvironmentStore.open(str(tmp_path / "benchmark"))
    # Each of the six is drawn anew, and not as it was.
    assert report.rejections["contaminated"] >= 6
    assert not set(benchmark.ids()) & set(EnvironmentStore.open(config.out).ids())
    refused = [record for record in Journal(config.out).read() if record.rule == "contaminated"]
    assert {record.item for record in refused} >= set(range(6))
    assert benchmark[0].id[:12] in refused[0].detail
    assert "benchmark" in refused[0].detail


def test_a_benchmark_in_the_published_format_is_excluded_too_though_it_tells_no_golden_calls(config, tmp_path):
    store = config.model_copy(update={"out": str(tmp_path / "benchmark"), "count": 4})
    synthesize(store)
    export_published(store.out, str(tmp_path / "benchmark.jsonl"))
    contamination = Contamination((str(tmp_path / "benchmark.jsonl"),))
    for environment in EnvironmentStore.open(store.out):
        assert contamination.of(environment, sketch(environment)) is not None


def test_the_other_split_of_a_world_is_no_contamination(config, tmp_path):
    synthesize(config.model_copy(update={"out": str(tmp_path / "test"), "split": "test"}))
    report = synthesize(config.model_copy(update={"exclude": (str(tmp_path / "test"),)}))
    assert report.accepted == report.candidates == 16


def test_an_evaluation_set_that_is_not_there_is_refused_at_once(config):
    with pytest.raises(InputError):
        synthesize(config.model_copy(update={"exclude": ("nowhere.jsonl",)}))


def test_an_item_that_comes_again_is_drawn_anew_and_a_resumed_run_remembers_the_store(config, monkeypatch):
    honest = generator.TablesStage._draw

    def repeats(self, item):
        first = item.attempt == 0 and item.index in (5, 9, 13)
        return honest(self, type(item)(1, 0)) if first else honest(self, item)

    monkeypatch.setattr(generator.TablesStage, "_draw", repeats)
    synthesize(config.model_copy(update={"count": 8}))
    report = synthesize(config.model_copy(update={"resume": True}))
    assert report.rejections == {"near_duplicate": 2}
    assert report.stages[-1].rejected == {"near_duplicate": 2}
    store = EnvironmentStore.open(config.out)
    assert len(set(store.ids())) == len(store) == 16
    records = [record for record in Journal(config.out).read() if record.rule == "near_duplicate"]
    assert [(record.item, record.stage, record.last) for record in records] == [
        (5, "store", False),
        (9, "store", False),
        (13, "store", False),
    ]


def test_a_store_on_s3_has_its_record_of_rejections_beside_it(bucket, monkeypatch):
    honest = generator.TablesStage._draw

    def repeats(self, item):
        return honest(self, type(item)(0, 0)) if item.index == 3 else honest(self, item)

    monkeypatch.setattr(generator.TablesStage, "_draw", repeats)
    out = f"{bucket}/store"
    report = synthesize(SynthesisConfig(out=out, count=4))
    assert (report.accepted, report.given_up) == (3, 1)
    assert Journal(out).given_up() == {3}
    again = synthesize(SynthesisConfig(out=out, count=6, resume=True))
    assert (again.kept, again.accepted, again.candidates) == (3, 2, 2), "item 3 is known to be given up"


def test_the_record_is_a_line_of_json_for_each_attempt(config, monkeypatch):
    honest = generator.TablesStage._draw
    monkeypatch.setattr(
        generator.TablesStage,
        "_draw",
        lambda self, item: honest(self, type(item)(0, 0)) if item.index == 2 else honest(self, item),
    )
    synthesize(config.model_copy(update={"count": 4}))
    (file,) = Journal(config.out)._files()
    lines = [json.loads(line) for line in open(file[1], encoding="utf-8")]  # noqa: SIM115, PTH123
    assert [(line["item"], line["attempt"], line["last"]) for line in lines] == [
        (2, 0, False),
        (2, 1, False),
        (2, 2, True),
    ]
