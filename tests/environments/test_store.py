"""The environment store: exact, committed whole or not at all, flat in memory."""

from __future__ import annotations

import concurrent.futures
import json
import pickle
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftrl.environments import Environment, EnvironmentStore, Gold, Scenario, SubQuestion, parts, source_id
from ftrl.errors import FtrlError, InputError

MakeStore = Callable[..., str]


def files(path: str) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in Path(path).rglob("*") if file.is_file())


def questions(path: str) -> list[str]:
    return [environment.question for environment in EnvironmentStore.open(path)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=4)
SOURCES = st.dictionaries(st.text(), st.text(), max_size=4)


@st.composite
def tasks(draw: st.DrawFn) -> tuple[Environment, dict[str, str]]:
    sources = draw(SOURCES)
    golds = st.builds(Gold, tool=st.text(), value=st.text(), sub_question=st.none() | st.text())
    steps = st.builds(
        SubQuestion,
        id=st.text(),
        text=st.text(),
        answer=st.text(),
        depends_on=st.lists(st.text(), max_size=2).map(tuple),
        tool=st.text(),
        arguments=OBJECTS,
    )
    environment = Environment(
        scenario=draw(st.sampled_from(Scenario)),
        question=draw(st.text()),
        answer=draw(st.none() | st.text()),
        tools=tuple(draw(st.lists(OBJECTS, max_size=3))),
        implementations={tool: source_id(source) for tool, source in sources.items()},
        golds=tuple(draw(st.lists(golds, max_size=4))),
        trace=tuple(draw(st.lists(steps, max_size=3))),
        split=draw(st.text()),
        data_source=draw(st.text()),
        provenance=draw(OBJECTS),
    )
    return environment, sources


def exactly(value: Any) -> str:
    """A text that differs where Python's equality does not: 1, 1.0 and True; order of keys; -0.0."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{exactly(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(exactly, value)) + "]"
    return repr(value)


@settings(max_examples=50)
@given(st.lists(tasks(), max_size=4, unique_by=lambda task: task[0].id))
def test_what_comes_out_is_exactly_what_went_in(written: list[tuple[Environment, dict[str, str]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with EnvironmentStore.create(f"{folder}/store") as writer:
            for environment, sources in written:
                writer.add(environment, sources)
        store = EnvironmentStore.open(f"{folder}/store")
        assert len(store) == len(written)
        for row, (read, (environment, sources)) in enumerate(zip(store, written, strict=True)):
            assert exactly(read.model_dump()) == exactly(environment.model_dump())
            assert store[row] == store.get(environment.id) == environment
            assert list(store.sources(read).items()) == list(sources.items())
        assert store.ids() == [environment.id for environment, _ in written]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"provenance": {"cost": float("nan")}}, "provenance", "not a number that JSON knows"),
        ({"provenance": {"when": {1, 2}}}, "provenance", "is not JSON"),
        ({"provenance": {"days": {7: "seven"}}}, "provenance", "the key 7 is not text"),
        ({"provenance": {"note": "caf\udce9"}}, "provenance", "lone surrogate U+DCE9"),
    ],
)
def test_what_json_cannot_say_is_refused(
    make_task: Callable[..., Any], tmp_path: Path, changes: dict[str, Any], field: str, message: str
) -> None:
    environment, sources = make_task(**changes)
    with pytest.raises(InputError) as caught, EnvironmentStore.create(str(tmp_path / "store")) as writer:
        writer.add(environment, sources)
    assert caught.value.field == field
    assert message in str(caught.value)


def test_a_source_that_many_tasks_share_is_stored_once(make_store: MakeStore) -> None:
    path = make_store(50)
    stored = [pq.read_table(file) for file in Path(path, "sources").iterdir()]
    assert [table.num_rows for table in stored] == [1]


def test_sources_must_be_those_that_the_environment_names(make_task: Callable[..., Any], tmp_path: Path) -> None:
    environment, sources = make_task(tools=("find", "guess"))
    for wrong in ({"find": sources["find"]}, {**sources, "guess": "pass"}, {**sources, "more": "pass"}):
        with (
            pytest.raises(InputError, match=r"guess|more"),
            EnvironmentStore.create(str(tmp_path / "s")) as writer,
        ):
            writer.add(environment, wrong)


def test_an_id_that_is_not_that_of_the_content_is_refused(make_task: Callable[..., Any], tmp_path: Path) -> None:
    environment, sources = make_task()
    forged = environment.model_copy(update={"question": "Another one?"})
    with pytest.raises(InputError, match="not the id of this content"):  # noqa: SIM117
        with EnvironmentStore.create(str(tmp_path / "store")) as writer:
            writer.add(forged, sources)


def test_the_same_environment_twice_is_refused(make_task: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="in the store already"):  # noqa: SIM117
        with EnvironmentStore.create(str(tmp_path / "store")) as writer:
            writer.add(*make_task())
            writer.add(*make_task())


def test_rows_are_counted_from_0_and_end_with_the_store(make_store: MakeStore) -> None:
    store = EnvironmentStore.open(make_store(3))
    assert [store[row].question for row in range(3)] == [f"Question {number}?" for number in range(3)]
    for row in (3, -1):
        with pytest.raises(IndexError):
            store[row]


def test_an_unknown_id_is_an_input_error(make_store: MakeStore) -> None:
    with pytest.raises(InputError, match="no environment with the id 0000"):
        EnvironmentStore.open(make_store()).get("0000")


def test_rows_are_found_across_row_groups_and_parts(make_store: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "GROUP_BYTES", 2_000)
    monkeypatch.setattr(parts, "PART_BYTES", 10_000)
    path = make_store(100)
    store = EnvironmentStore.open(path)
    assert len(store.parts()) > 2
    assert all(pq.ParquetFile(file).num_row_groups > 1 for file in store.parts()[:-1])
    expected = [f"Question {number}?" for number in range(100)]
    assert questions(path) == expected
    assert [store[row].question for row in reversed(range(100))] == expected[::-1]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda row: store[row].question, range(100))) == expected


def test_a_store_travels_to_another_process(make_store: MakeStore) -> None:
    store = EnvironmentStore.open(make_store())
    store.sources(store[0])
    travelled = pickle.loads(pickle.dumps(store))
    assert list(travelled) == list(store)
    assert travelled.sources(travelled[0]) == store.sources(store[0])


def test_a_folder_without_manifest_is_no_store(make_store: MakeStore, tmp_path: Path) -> None:
    path = make_store()
    Path(path, "manifest.json").unlink()
    for place in (path, str(tmp_path / "nothing")):
        with pytest.raises(InputError, match="no environment store"):
            EnvironmentStore.open(place)


def test_a_manifest_of_another_version_is_refused(make_store: MakeStore) -> None:
    path = make_store()
    manifest = Path(path, "manifest.json")
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "version": 2}))
    with pytest.raises(InputError, match=r"manifest\.json.*version"):
        EnvironmentStore.open(path)


def test_a_store_is_not_replaced_unless_asked(make_store: MakeStore) -> None:
    path = make_store(2)
    with pytest.raises(InputError, match="already"):
        make_store(3)
    assert len(EnvironmentStore.open(path)) == 2
    make_store(3, overwrite=True)
    assert len(EnvironmentStore.open(path)) == 3
    assert len(files(path)) == 3


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, make_task: Callable[..., Any]) -> None:
    (tmp_path / "thesis.txt").write_text("four years")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        EnvironmentStore.create(str(tmp_path), overwrite=True)
    with pytest.raises(InputError, match="a store is a folder"):
        EnvironmentStore.create(str(tmp_path / "thesis.txt"))
    assert files(str(tmp_path)) == ["thesis.txt"]


def test_appending_keeps_what_is_there_and_stores_no_source_again(
    make_store: MakeStore, make_task: Callable[..., Any]
) -> None:
    path = make_store(2)
    with EnvironmentStore.create(path, append=True) as writer:
        writer.add(*make_task("New?"))
        writer.add(*make_task("Newer?", tools=("find", "other")))
    assert questions(path) == ["Question 0?", "Question 1?", "New?", "Newer?"]
    store = EnvironmentStore.open(path)
    assert set(store.sources(store[3])) == {"find", "other"}
    assert sum(pq.read_table(file).num_rows for file in Path(path, "sources").iterdir()) == 2
    with pytest.raises(InputError, match="already"), EnvironmentStore.create(path, append=True) as writer:
        writer.add(*make_task("New?"))


def test_an_error_while_writing_leaves_the_earlier_store_as_it_was(
    make_store: MakeStore, make_task: Callable[..., Any], tmp_path: Path
) -> None:
    path = make_store(2)
    before = {name: Path(path, name).read_bytes() for name in files(path)}
    for how in ({"overwrite": True}, {"append": True}):
        with pytest.raises(RuntimeError), EnvironmentStore.create(path, **how) as writer:
            writer.add(*make_task("New?"))
            raise RuntimeError
        assert {name: Path(path, name).read_bytes() for name in files(path)} == before
    with pytest.raises(RuntimeError), EnvironmentStore.create(str(tmp_path / "new")) as writer:
        writer.add(*make_task())
        raise RuntimeError
    assert not (tmp_path / "new").exists()


def test_two_writers_at_once_the_later_commit_is_refused(make_store: MakeStore, make_task: Callable[..., Any]) -> None:
    path = make_store(1)
    with pytest.raises(FtrlError, match="another program changed"):  # noqa: SIM117
        with EnvironmentStore.create(path, append=True) as slow:
            slow.add(*make_task("Slow?"))
            with EnvironmentStore.create(path, append=True) as quick:
                quick.add(*make_task("Quick?"))
    assert questions(path) == ["Question 0?", "Quick?"]
    assert len(files(path)) == 4


def run_writer(path: str, prelude: str = "") -> subprocess.Popen[str]:
    """A process that overwrites the store at ``path`` with very many tasks."""
    script = f"""
    import resource, signal, sys
    from ftrl.environments import *
    from ftrl.environments import parts
    parts.GROUP_BYTES = 20_000
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    {prelude}
    with EnvironmentStore.create({path!r}, overwrite=True) as writer:
        for number in range(1_000_000):
            question = str(number) * 50
            task = Environment(
                scenario="single_hop", question=question, tools=(), implementations={{}}, golds=()
            )
            writer.add(task, {{}})
            if number == 2_000:
                print("half way", flush=True)
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_killed_writer_leaves_the_earlier_store_and_its_rubbish_is_swept_away(
    make_store: MakeStore,
) -> None:
    path = make_store(2)
    writer = run_writer(path)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "half way\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert len(questions(path)) == 2
    assert len(files(path)) == 4  # a part of the killed writer lies there, under a name that nobody reads
    assert list(Path(path, "environments").glob("[!.]*.parquet")) == [Path(EnvironmentStore.open(path).parts()[0])]
    make_store(5, overwrite=True)
    assert len(questions(path)) == 5
    assert len(files(path)) == 3


def test_an_interrupted_writer_cleans_up_after_itself(make_store: MakeStore) -> None:
    path = make_store(2)
    before = files(path)
    writer = run_writer(path)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "half way\n"
    writer.send_signal(signal.SIGINT)
    writer.communicate()
    assert files(path) == before


def test_when_the_disk_takes_no_more_the_earlier_store_stays_and_nothing_else(make_store: MakeStore) -> None:
    path = make_store(2)
    before = files(path)
    # A limit on file size stands in for the end of the disk; unless ignored, its signal kills the process.
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))"
    writer = run_writer(path, prelude=f"signal.signal(signal.SIGXFSZ, signal.SIG_IGN); {limit}")
    _, errors = writer.communicate(timeout=60)
    assert writer.returncode == 1
    assert errors.strip().splitlines()[-1].startswith("OSError: [Errno 27] File too large")
    assert files(path) == before
    assert len(questions(path)) == 2


def test_a_damaged_part_is_named(make_store: MakeStore) -> None:
    path = make_store(2)
    part = Path(EnvironmentStore.open(path).parts()[0])
    data = part.read_bytes()
    for damaged in (data[:-20], b"", data[:50] + bytes(500) + data[550:]):
        part.write_bytes(damaged)
        with pytest.raises(InputError, match=f"{part.name}.*damaged"):
            list(EnvironmentStore.open(path))
    part.unlink()
    with pytest.raises(InputError, match=f"{part.name}.*missing"):
        list(EnvironmentStore.open(path))


def test_memory_stays_flat_however_large_the_store(tmp_path: Path) -> None:
    script = """
    import resource, sys
    from ftrl.environments import *
    from ftrl.environments import parts
    parts.GROUP_BYTES = 200_000
    store, count = sys.argv[1], int(sys.argv[2])
    with EnvironmentStore.create(store) as writer:
        for number in range(count):
            source = f"def find(x):\\n    return {number}\\n" + "# " + str(number) * 1_000
            writer.add(Environment(
                scenario="single_hop", question=str(number) * 1_000, tools=(),
                implementations={"find": source_id(source)}, golds=(),
            ), {"find": source})
    opened = EnvironmentStore.open(store)
    assert sum(len(opened.sources(environment)) for environment in opened) == count
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    """

    def peak(count: int) -> int:
        command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / str(count)), str(count)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    few, many = peak(500), peak(8_000)
    assert many < few + 30, f"{few} MB for 500 environments, {many} MB for 8,000, which are 64 MB of text"


@pytest.mark.e2e
def test_ray_data_reads_the_environments_folder(make_store: MakeStore) -> None:
    import ray

    from ftrl.environments.columns import environment_from_row

    path = make_store(20)
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        rows = ray.data.read_parquet(f"{path}/environments").take_all()
    finally:
        ray.shutdown()
    read = sorted(map(environment_from_row, rows), key=lambda environment: environment.id)
    assert read == sorted(EnvironmentStore.open(path), key=lambda environment: environment.id)
