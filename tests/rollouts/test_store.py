"""The trajectory store, on this machine and on S3."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ftrl import storage
from ftrl.errors import FtrlError, InputError
from ftrl.rollouts import (
    AssistantTokens,
    Collection,
    EpisodeSettings,
    PolicyIdentity,
    Trajectory,
    TrajectoryStatus,
    TrajectoryStore,
)

Play = Callable[..., Trajectory]
FIRST = Collection(iteration=0, policy=PolicyIdentity(name="script"), settings=EpisodeSettings())


@pytest.fixture(params=["local", "s3"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for a store."""
    if request.param == "local":
        return str(tmp_path / "rollouts")
    return f"{request.getfixturevalue('bucket')}/some/store"


@pytest.fixture
def episodes(play: Play) -> list[Trajectory]:
    """Three samples of one task, with tokens."""
    tokens = AssistantTokens(prompt_tokens=7, token_ids=(1, 2), logprobs=(-0.5, -1.25), finish_reason="stop")
    more = {"turns": (tokens, tokens), "parser": "hermes"}
    return [play(sample=sample).model_copy(update=more) for sample in range(3)]


def begun(path: str) -> TrajectoryStore:
    store = TrajectoryStore.create(path, run="run")
    store.begin(FIRST)
    return store


def test_what_was_appended_is_read_back_whole(path: str, episodes: list[Trajectory]) -> None:
    with begun(path) as store:
        store.append(episodes[:2])
        store.append(episodes[2:])
    opened = TrajectoryStore.open(path)
    assert list(opened) == episodes
    assert len(opened) == 3
    assert opened.run == "run"
    assert opened.collections == (FIRST,)


def test_text_of_every_kind_survives(path: str, play: Play) -> None:
    odd = play(["naïve 汉字 \u0000 \u2028 🙂 'quotes' \"and\" \\n"])
    with begun(path) as store:
        store.append([odd])
    assert list(TrajectoryStore.open(path)) == [odd]


def test_done_tells_which_samples_there_are(path: str, episodes: list[Trajectory]) -> None:
    with begun(path) as store:
        assert store.done() == set()
        store.append([episodes[0], episodes[2]])
    environment = episodes[0].environment_id
    assert TrajectoryStore.open(path).done() == {(environment, 0), (environment, 2)}


def test_iterations_are_kept_apart(path: str, play: Play) -> None:
    with begun(path) as store:
        store.begin(FIRST.model_copy(update={"iteration": 1}))
        store.append([play(), play(iteration=1), play(iteration=1, sample=1)])
        assert (store.count(), store.count(0), store.count(1)) == (3, 1, 2)
        assert [trajectory.sample for trajectory in store.read(1)] == [0, 1]
        assert {sample for _, sample in store.done(0)} == {0}
        assert len(store.parts(0)) == len(store.parts(1)) == 1


def test_parts_are_parquet_that_others_read_by_column(path: str, episodes: list[Trajectory]) -> None:
    import pyarrow.parquet as pq

    with begun(path) as store:
        store.append(episodes)
    (part,) = store.parts()
    fs, inner = storage.filesystem(part)
    with fs.open(inner) as file:
        table = pq.ParquetFile(file).read(columns=["environment_id", "status"])
    assert table.column("status").to_pylist() == ["answered"] * 3
    assert [row["status"] for row in store.rows(["status"])] == ["answered"] * 3


def test_a_part_without_a_commit_is_not_seen_and_is_swept_away(path: str, episodes: list[Trajectory]) -> None:
    with begun(path) as store:
        store.append(episodes)
    orphan = storage.join(path, "parts", "000001-killed.parquet")
    storage.write_bytes(orphan, b"half of somethi")
    with TrajectoryStore.open(path) as again:
        assert len(list(again)) == 3
        again.begin(FIRST)
        assert storage.exists(orphan), "its writer may be about to commit it"
        assert again.sweep(seconds=0) == ["000001-killed.parquet"]
        assert not storage.exists(orphan)
        assert list(again) == episodes


def test_a_store_is_not_created_over_another(path: str) -> None:
    begun(path).close()
    with pytest.raises(InputError, match=r"store here already.*--resume"):
        TrajectoryStore.create(path)


def test_a_store_is_not_created_among_other_files(path: str) -> None:
    storage.write_bytes(storage.join(path, "notes.txt"), b"mine")
    with pytest.raises(InputError, match="other files here"):
        TrajectoryStore.create(path)


def test_what_is_no_store_is_not_opened(path: str) -> None:
    with pytest.raises(InputError, match="no trajectory store"):
        TrajectoryStore.open(path)


def test_a_damaged_manifest_is_refused_by_name(path: str) -> None:
    storage.write_bytes(storage.join(path, "manifest.json"), b'{"format": "something"}')
    with pytest.raises(InputError, match=r"manifest\.json: this is not a trajectory store"):
        TrajectoryStore.open(path)


def test_another_model_or_other_settings_cannot_go_on_with_an_iteration(path: str) -> None:
    with begun(path) as store:
        with pytest.raises(InputError, match=r"temperature = 1\.0, not 0\.0"):
            store.begin(FIRST.model_copy(update={"settings": EpisodeSettings(temperature=0.0)}))
        with pytest.raises(InputError, match="by another model"):
            store.begin(FIRST.model_copy(update={"policy": PolicyIdentity(name="script", weights="abc")}))
        store.begin(FIRST)


def test_an_infrastructure_failure_is_never_stored(path: str, episodes: list[Trajectory]) -> None:
    failed = episodes[1].model_copy(update={"status": TrajectoryStatus.INFRASTRUCTURE, "metrics": ()})
    with begun(path) as store:
        with pytest.raises(FtrlError, match="fault of ours"):
            store.append([episodes[0], failed])
        assert len(store) == 0


def test_trajectories_of_another_run_are_not_taken(path: str, play: Play) -> None:
    with begun(path) as store, pytest.raises(FtrlError, match="not of this store's run"):
        store.append([play(run="other")])


def test_two_writers_lose_nothing_and_store_nothing_twice(path: str, episodes: list[Trajectory]) -> None:
    with begun(path) as one:
        two = TrajectoryStore.open(path)
        assert one.append(episodes[:2]) == 2
        assert two.append(episodes[1:]) == 1
        assert one.append(episodes[2:]) == 0
        assert list(TrajectoryStore.open(path)) == episodes
        assert two.sweep(seconds=0), "what was written in vain"
        assert list(TrajectoryStore.open(path)) == episodes


WRITE = """
import sys
from ftrl.rollouts import *
path, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
identity = PolicyIdentity(name="script")
store = TrajectoryStore.open(path)
store.begin(Collection(iteration=int(sys.argv[4]), policy=identity, settings=EpisodeSettings()))
def one(sample):
    return Trajectory(id=f"{sample}-{sys.argv[4]}", run="run", environment_id="e", policy=identity,
        iteration=int(sys.argv[4]), sample=sample, status="answered", messages=({"role": "user", "content": "?"},))
print(sum(store.append([one(sample), one(sample + 1)]) for sample in range(first, last, 2)))
if last % 10 == 0:
    store.compact()
"""


@pytest.fixture
def one_request_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 checks a condition and writes in one step; the server of the tests does it in two."""
    from moto.s3.responses import S3Response

    put, lock = S3Response.put_object, threading.Lock()

    def putting(self: Any) -> Any:
        with lock:
            return put(self)

    monkeypatch.setattr(S3Response, "put_object", putting)


def test_writers_and_compactors_of_many_processes_lose_nothing(path: str, one_request_at_a_time: None) -> None:
    begun(path).close()
    spans = [(0, 16, 0), (8, 30, 0), (0, 10, 1)]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, path, *map(str, span)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for span in spans
    ]
    outputs = [writer.communicate() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], outputs
    assert sum(int(out) for out, _ in outputs) == 40, "what two writers had was added once"
    with TrajectoryStore.open(path) as store:
        ids = [trajectory.id for trajectory in store]
        assert len(ids) == len(set(ids)) == 40
        assert {sample for _, sample in store.done(0)} == set(range(30))
        assert store.count() == 40
        store.compact()
        assert len(store.parts()) == 2
        assert [trajectory.id for trajectory in store.read(0)] == [id_ for id_ in ids if id_.endswith("-0")]


def test_compaction_keeps_order_and_content_and_leaves_readers_alone(path: str, episodes: list[Trajectory]) -> None:
    with begun(path) as store:
        store.begin(FIRST.model_copy(update={"iteration": 1}))
        later = [one.model_copy(update={"iteration": 1, "id": f"{one.id}x"}) for one in episodes]
        for pair in zip(episodes, later, strict=True):
            store.append(pair)
        reader = TrajectoryStore.open(path)
        done = store.compact()
        assert (done.parts_before, done.parts_after) == (6, 2)
        assert done.bytes_after < done.bytes_before
        assert list(store.read(0)) == list(TrajectoryStore.open(path).read(0)) == episodes
        assert list(store.read(1)) == later
        assert list(reader.read(0)) == episodes, "its parts are still there"
        assert len(store.sweep(seconds=0)) == 6
        assert list(TrajectoryStore.open(path).read(0)) == episodes
        assert store.compact().parts_before == 2


def test_compaction_makes_no_part_larger_than_asked_for(path: str, episodes: list[Trajectory]) -> None:
    with begun(path) as store:
        for episode in episodes:
            store.append([episode])
        size = store.compact(part_bytes=1).bytes_after
        assert len(store.parts()) == 3
        assert store.compact(part_bytes=size * 5 // 6).parts_after == 2
        assert list(store) == episodes


def test_episodes_of_an_earlier_version_are_read_and_merged(
    path: str, episodes: list[Trajectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ftrl.rollouts import parts

    earlier = pa.schema([field for field in parts.TRAJECTORY_COLUMNS if field.name != "usage"])
    with monkeypatch.context() as patch:
        patch.setattr(parts, "TRAJECTORY_COLUMNS", earlier)
        with begun(path) as store:
            store.append(episodes[:2])
    with TrajectoryStore.open(path) as store:
        store.append(episodes[2:])
        assert list(store) == episodes
        assert [row["usage"] for row in store.rows(["usage"])] == [None] * 3
        store.compact()
        assert list(store) == episodes


def test_a_store_that_was_replaced_is_not_written_to(path: str, episodes: list[Trajectory]) -> None:
    with begun(path) as store:
        storage.filesystem(path)[0].rm(storage.filesystem(path)[1], recursive=True)
        TrajectoryStore.create(path, run="other").close()
        with pytest.raises(FtrlError, match="removed or replaced"):
            store.append(episodes)
        assert len(TrajectoryStore.open(path)) == 0


def test_on_one_machine_a_second_collection_is_refused_at_once(tmp_path: Path) -> None:
    path = str(tmp_path / "store")
    with begun(path) as first:
        first.claim()
        with pytest.raises(FtrlError, match="another process is collecting"):
            TrajectoryStore.open(path).claim()
    with TrajectoryStore.open(path) as freed:
        freed.claim()


FILL_DISK = """
import sys
from ftrl.rollouts import *
path = sys.argv[1]
store = TrajectoryStore.create(path, run="run")
store.begin(Collection(iteration=0, policy=PolicyIdentity(name="x"), settings=EpisodeSettings()))
def one(sample):
    import random
    noise = "".join(random.Random(sample).choices("abcdefghijklmnopqrstuvwxyz", k=60000))
    return Trajectory(id=str(sample), run="run", environment_id="e", policy=PolicyIdentity(name="x"), iteration=0,
        sample=sample, status="answered", messages=({"role": "user", "content": noise},))
for sample in range(1000):
    try:
        store.append([one(sample)])
    except OSError as error:
        print(error.errno, sample)
        break
opened = TrajectoryStore.open(path)
print(sorted(s for _, s in opened.done()) == list(range(sample)), len(list(opened)) == sample)
"""


def test_a_full_disk_keeps_what_was_committed(tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    script = f'mount -t tmpfs -o size=512k none {mount} && exec {sys.executable} -c "$0" {mount}/store'
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    done = subprocess.run([*unshare, "sh", "-c", script, FILL_DISK], check=True, capture_output=True, text=True)
    first, second = done.stdout.splitlines()
    assert first.startswith("28 ")
    assert second == "True True"


def test_columns_hold_what_the_contract_names(episodes: list[Trajectory]) -> None:
    from ftrl.rollouts.columns import TRAJECTORY_COLUMNS, trajectory_to_row

    row: dict[str, Any] = trajectory_to_row(episodes[0])
    assert set(row) == set(TRAJECTORY_COLUMNS.names)
