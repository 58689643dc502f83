"""Import, export and validation of whole files."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ftrl.environments import (
    EnvironmentStore,
    describe,
    export_published,
    import_published,
    open_tasks,
    row_files,
    source_id,
    validate,
)
from ftrl.environments.exchange import rejects_path
from ftrl.environments.tasks import find_task
from ftrl.errors import InputError

Row = dict[str, Any]
WriteRows = Callable[[list[Any]], str]


def asking(row: Row, number: int) -> Row:
    return {**row, "messages": [{"content": f"Question {number}?", "role": "user"}]}


def read_jsonl(path: str) -> list[Any]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def parsed(row: Row) -> Row:
    """A row with its JSON text read, so that JSON values are compared and not their spelling."""
    return {**row, **{field: json.loads(row[field]) for field in ("tools", "codes", "unsolved_set")}}


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_the_published_tasks_come_back_equal_row_by_row(shared: Path, tmp_path: Path, ending: str) -> None:
    published = shared / "data" / "ftrl_test_dev100.jsonl"
    file, store, back = str(tmp_path / f"in.{ending}"), str(tmp_path / "store"), str(tmp_path / "back.jsonl")
    export_published(str(published), file)
    assert import_published(file, store).rows == 100
    export_published(store, back)
    expected = read_jsonl(str(published))
    assert len(expected) == 100
    for read, row in zip(read_jsonl(back), expected, strict=True):
        assert repr(parsed(read)) == repr(parsed(row))  # repr: order of keys, and 1 is not 1.0
    assert Path(back).read_bytes() == published.read_bytes()


def test_the_published_tasks_are_25_of_each_scenario(shared: Path) -> None:
    tasks = open_tasks(str(shared / "data" / "ftrl_test_dev100.jsonl"))
    figures = describe(tasks).scenarios
    assert {name: figure.tasks for name, figure in figures.items()} == {
        "single_hop": 25,
        "parallel_single_hop": 25,
        "multi_hop": 25,
        "parallel_multi_hop": 25,
        "all": 100,
    }


def test_steps_of_published_conversations_are_refused_as_such(shared: Path, row: Row) -> None:
    from ftrl.environments.published import BadRow, read_task

    refused = fresh = 0
    for line in (shared / "golden" / "trajectories_dev.jsonl").read_text().splitlines():
        for snapshot in json.loads(line)["snapshots"]:
            state = {name: snapshot[name] for name in ("unsolved_set", "solve_rate")}
            messages = row["messages"] * snapshot["n_messages"]
            try:
                read_task({**row, **state, "messages": messages})
            except BadRow as error:
                if "this is a step of a recorded conversation" in str(error):
                    refused += 1
                    continue
            fresh += 1
            assert snapshot["n_messages"] == 1
    assert refused > 700
    assert fresh == 200


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_rows_come_back_in_order_and_can_be_reached_by_number(
    row: Row, write_rows: WriteRows, tmp_path: Path, ending: str
) -> None:
    count = 3 * row_files.BATCH_ROWS + 7
    written = [asking(row, number) for number in range(count)]
    file = str(tmp_path / f"copy.{ending}")
    export_published(write_rows(written), file)
    tasks = open_tasks(file)
    assert len(tasks) == count
    assert [environment.question for environment in tasks] == [f"Question {number}?" for number in range(count)]
    shuffled = random.Random(1).sample(range(count), count)
    assert [tasks[number].question for number in shuffled] == [f"Question {number}?" for number in shuffled]
    for number in (count, -1):
        with pytest.raises(IndexError):
            tasks[number]


def test_a_file_and_a_store_offer_the_same_tasks(row: Row, write_rows: WriteRows, tmp_path: Path) -> None:
    file = write_rows([asking(row, number) for number in range(300)])
    import_published(file, str(tmp_path / "store"))
    one, other = open_tasks(file), open_tasks(str(tmp_path / "store"))
    assert list(one) == list(other)
    assert one.ids() == other.ids()
    for environment in (one[0], one[299]):
        assert one.sources(environment) == other.sources(environment) == json.loads(row["codes"])
        assert one.get(environment.id) == other.get(environment.id) == environment


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_bad_row_is_refused_with_file_line_and_field_and_nothing_is_written(
    row: Row, write_rows: WriteRows, tmp_path: Path, ending: str
) -> None:
    rows = [asking(row, number) for number in range(5)]
    rows[3]["unsolved_set"] = "{}"
    file = write_rows(rows)
    if ending == "parquet":
        file = str(tmp_path / "tasks.parquet")
        pq.write_table(pa.Table.from_pylist(rows), file)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as caught:
        import_published(file, str(tmp_path / "store"))
    assert (caught.value.file, caught.value.line, caught.value.field) == (file, 4, "unsolved_set")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_broken_line_keeps_its_number_among_blank_ones(row: Row, write_rows: WriteRows, tmp_path: Path) -> None:
    file = write_rows([row, "", "   ", '{"messages": '])
    with pytest.raises(InputError, match=rf"{file}:4: the line is not JSON"):
        import_published(file, str(tmp_path / "store"))
    tasks = open_tasks(file)
    assert len(tasks) == 2
    with pytest.raises(InputError, match=rf"{file}:4: "):
        tasks[1]


def test_skip_bad_leaves_bad_rows_out_and_says_why(row: Row, write_rows: WriteRows, tmp_path: Path) -> None:
    bad = {**asking(row, 1), "unsolved_set": "{}"}
    surrogate = {**asking(row, 3), "answer": "\ud800"}
    file = write_rows([asking(row, 0), bad, "{oops", surrogate, asking(row, 4), asking(row, 0)])
    store = str(tmp_path / "store")
    done = import_published(file, store, skip_bad=True)
    assert (done.rows, done.bad) == (6, 4)
    assert [environment.question for environment in EnvironmentStore.open(store)] == ["Question 0?", "Question 4?"]
    rejects = read_jsonl(rejects_path(store))
    assert [(reject["line"], reject["field"]) for reject in rejects] == [
        (2, "unsolved_set"),
        (3, None),
        (4, "answer"),
        (6, None),
    ]
    assert [reject["row"] for reject in rejects] == [bad, "{oops", surrogate, asking(row, 0)]
    assert "no gold" in rejects[0]["reason"]
    assert "the same task as in line 1" in rejects[3]["reason"]


def test_the_rejects_of_an_earlier_import_do_not_linger(row: Row, write_rows: WriteRows, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    import_published(write_rows([row, "{oops"]), store, skip_bad=True)
    assert Path(rejects_path(store)).exists()
    import_published(write_rows([row]), store, skip_bad=True, overwrite=True)
    assert not Path(rejects_path(store)).exists()


def test_an_import_without_a_single_good_row_fails_and_keeps_the_reasons(write_rows: WriteRows, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    with pytest.raises(InputError, match="none of the 2 rows is a sound task"):
        import_published(write_rows(["{}", "{oops"]), store, skip_bad=True)
    assert not Path(store).exists()
    assert len(read_jsonl(rejects_path(store))) == 2
    with pytest.raises(InputError, match="there is no row"):
        import_published(write_rows([]), store)


def test_a_task_that_stands_twice_is_refused_on_every_way(row: Row, write_rows: WriteRows, tmp_path: Path) -> None:
    file = write_rows([row, asking(row, 1), {**row, "split": "test"}])
    for use in (
        lambda: import_published(file, str(tmp_path / "store")),
        lambda: list(open_tasks(file)),
        lambda: open_tasks(file).ids(),
    ):
        with pytest.raises(InputError, match=r":3: this is the same task as in line 1"):
            use()
    assert [len(found) for found in validate(file)] == [0, 0, 1]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.jsonl", "there is no such file"),
        ("missing.parquet", "there is no such file"),
        ("missing", "there is no such file or store"),
        ("folder", "neither an environment store"),
        ("text.txt", "neither an environment store"),
        ("text.parquet", "no readable Parquet file"),
        ("folder.jsonl", "a folder without a manifest"),
    ],
)
def test_what_is_no_file_of_tasks_is_told_apart(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.jsonl").mkdir()
    for text in ("text.txt", "text.parquet"):
        (tmp_path / text).write_text("not what it says")
    with pytest.raises(InputError, match=message):
        list(open_tasks(str(tmp_path / name)))


def test_a_store_needs_no_import(make_store: Callable[..., str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="an environment store already"):
        import_published(make_store(), str(tmp_path / "other"))


def test_a_parquet_file_cut_short_is_no_readable_one(row: Row, write_rows: WriteRows, tmp_path: Path) -> None:
    file = tmp_path / "tasks.parquet"
    export_published(write_rows([row]), str(file))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError, match="no readable Parquet file"):
        import_published(str(file), str(tmp_path / "store"))


def test_an_export_that_fails_leaves_the_earlier_file(row: Row, write_rows: WriteRows, tmp_path: Path) -> None:
    file = write_rows([row, "{oops"])
    for ending in ("jsonl", "parquet"):
        out = tmp_path / f"out.{ending}"
        out.write_text("earlier")
        with pytest.raises(InputError):
            export_published(file, str(out))
        assert out.read_text() == "earlier"
    assert {path.name for path in tmp_path.iterdir()} == {"tasks.jsonl", "out.jsonl", "out.parquet"}
    with pytest.raises(InputError, match=r"must end in \.jsonl or \.parquet"):
        export_published(file, str(tmp_path / "out.csv"))


def test_validation_of_a_store_finds_what_was_changed_by_other_means(
    row: Row, write_rows: WriteRows, tmp_path: Path
) -> None:
    store = str(tmp_path / "store")
    import_published(write_rows([asking(row, number) for number in range(3)]), store)
    assert list(validate(store)) == [[], [], []]

    [sources] = Path(store, "sources").iterdir()
    changed = [
        {**stored, "source": stored["source"].replace("Lyon", "Nice")} for stored in pq.read_table(sources).to_pylist()
    ]
    pq.write_table(pa.Table.from_pylist(changed), sources)
    [environments] = Path(store, "environments").iterdir()
    table = pq.read_table(environments).to_pylist()
    table[1]["question"] = ""
    pq.write_table(pa.Table.from_pylist(table), environments)

    found = [{problem.field for problem in problems} for problems in validate(store)]
    assert found == [{"implementations"}, {"implementations", "question", "id"}, {"implementations"}]


def test_a_store_that_lacks_a_source_is_found_by_validation(make_store: Callable[..., str], tmp_path: Path) -> None:
    store = make_store(1)
    [sources] = Path(store, "sources").iterdir()
    pq.write_table(pa.Table.from_pylist([{"sha256": source_id("other"), "source": "other"}]), sources)
    [[problem]] = validate(store)
    assert problem.field == "implementations"
    assert "is missing" in problem.message


def test_statistics_count_what_a_task_has(row: Row, write_rows: WriteRows) -> None:
    many = {**asking(row, 1), "unsolved_set": '{"find": ["a", "b"], "guess": ["c"]}', "data_source": "self/multi_hop"}
    statistics = describe(open_tasks(write_rows([row, many])))
    assert list(statistics.scenarios) == ["single_hop", "multi_hop", "all"]
    total = statistics.as_json()["scenarios"]["all"]
    assert total["tasks"] == 2
    assert total["splits"] == {"train": 2}
    assert total["tools"] == {"mean": 2.0, "min": 2, "max": 2}
    assert total["golds"] == {"mean": 2.0, "min": 1, "max": 3}
    assert total["distractors"] == {"mean": 0.5, "min": 0, "max": 1}
    assert total["parameters"] == {"mean": 1.0, "min": 1, "max": 1}
    assert total["code_lines"] == {"mean": 2.0, "min": 2, "max": 2}
    assert statistics.distinct_sources == 2


def test_a_task_is_found_by_row_by_id_and_by_the_beginning_of_its_id(make_store: Callable[..., str]) -> None:
    tasks = open_tasks(make_store(3))
    wanted = tasks[2]
    for word in ("2", wanted.id, wanted.id[:6]):
        assert find_task(tasks, word) == wanted
    for word, message in (("3", "rows go from 0 to 2"), (wanted.id[:5] + "x", "starts with"), ("q", "neither")):
        with pytest.raises(InputError, match=message):
            find_task(tasks, word)
