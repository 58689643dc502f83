"""Stores and files on S3, against a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ftrl import storage
from ftrl.environments import EnvironmentStore, export_published, import_published, open_tasks, parts
from ftrl.environments.exchange import rejects_path
from ftrl.errors import InputError

MakeTask = Callable[..., Any]


def objects(bucket: str) -> list[str]:
    fs, inner = storage.filesystem(bucket)
    fs.invalidate_cache()
    return sorted(key.removeprefix(f"{inner}/") for key in fs.find(inner))


def uploads(bucket: str) -> int:
    """Uploads that were begun and neither completed nor given up."""
    fs, inner = storage.filesystem(bucket)
    return len(fs.call_s3("list_multipart_uploads", Bucket=inner).get("Uploads", []))


def test_a_store_on_s3_is_written_and_read(bucket: str, make_task: MakeTask) -> None:
    path = f"{bucket}/some/store"
    with EnvironmentStore.create(path) as writer:
        for number in range(30):
            writer.add(*make_task(f"Question {number}?", tools=("find", "guess")))
        assert objects(bucket) == []
    store = EnvironmentStore.open(path)
    assert [environment.question for environment in store] == [f"Question {number}?" for number in range(30)]
    assert store[7] == store.get(store.ids()[7])
    assert set(store.sources(store[7])) == {"find", "guess"}
    assert len(objects(bucket)) == 3
    assert uploads(bucket) == 0
    with pytest.raises(InputError, match="already"):
        EnvironmentStore.create(path)


def test_parts_larger_than_an_upload_chunk_arrive_whole(
    bucket: str, make_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    import random

    monkeypatch.setattr(parts, "GROUP_BYTES", 2 << 20)
    noise = random.Random(1)
    with EnvironmentStore.create(f"{bucket}/store") as writer:
        for number in range(18):
            writer.add(*make_task(f"{number} " + noise.randbytes(1_000_000).hex()))
    store = EnvironmentStore.open(f"{bucket}/store")
    assert [int(environment.question.split()[0]) for environment in store] == list(range(18))
    fs, inner = storage.filesystem(store.parts()[0])
    assert fs.size(inner) > 2 * parts.UPLOAD_BYTES


def test_replacing_a_store_on_s3_removes_the_earlier_parts(bucket: str, make_task: MakeTask) -> None:
    path = f"{bucket}/store"
    for question in ("Old?", "New?"):
        with EnvironmentStore.create(path, overwrite=True) as writer:
            writer.add(*make_task(question))
    assert [environment.question for environment in EnvironmentStore.open(path)] == ["New?"]
    assert len(objects(bucket)) == 3
    with EnvironmentStore.create(path, append=True) as writer:
        writer.add(*make_task("Newer?"))
    assert [environment.question for environment in EnvironmentStore.open(path)] == ["New?", "Newer?"]


def test_an_error_while_writing_leaves_nothing_on_s3(
    bucket: str, make_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "GROUP_BYTES", 1_000)
    monkeypatch.setattr(parts, "PART_BYTES", 5_000)
    path = f"{bucket}/store"
    with pytest.raises(RuntimeError), EnvironmentStore.create(path) as writer:
        for number in range(50):
            writer.add(*make_task(f"Question {number}?"))
        raise RuntimeError
    assert objects(bucket) == []
    assert uploads(bucket) == 0
    with pytest.raises(InputError, match="no environment store"):
        EnvironmentStore.open(path)


def test_published_files_on_s3_are_imported_exported_and_read_in_place(
    bucket: str, row: dict[str, Any], tmp_path: Any
) -> None:
    rows = [{**row, "messages": [{"content": f"Question {n}?", "role": "user"}]} for n in range(100)]
    lines = "".join(json.dumps(written) + "\n" for written in rows)
    storage.write_bytes(f"{bucket}/in.jsonl", (lines + "{oops\n").encode())
    store = f"{bucket}/store"
    with pytest.raises(InputError, match=r"in\.jsonl:101: "):
        import_published(f"{bucket}/in.jsonl", store)
    assert objects(bucket) == ["in.jsonl"]
    assert import_published(f"{bucket}/in.jsonl", store, skip_bad=True).bad == 1
    assert json.loads(storage.read_bytes(rejects_path(store)))["row"] == "{oops"
    for ending in ("jsonl", "parquet"):
        export_published(store, f"{bucket}/out.{ending}")
        tasks = open_tasks(f"{bucket}/out.{ending}")
        assert len(tasks) == 100
        assert tasks[93].question == "Question 93?"
        assert [environment.question for environment in tasks] == [f"Question {n}?" for n in range(100)]


def test_what_is_not_there_on_s3_is_an_input_error(bucket: str, make_task: MakeTask) -> None:
    for path in (f"{bucket}/nothing", "s3://no-such-bucket/store"):
        with pytest.raises(InputError, match="no environment store"):
            EnvironmentStore.open(path)
        with pytest.raises(InputError, match="no such file"):
            open_tasks(path)
    with pytest.raises(InputError, match="no such file"):
        open_tasks(f"{bucket}/nothing.jsonl")
    with pytest.raises(InputError, match="nothing can be written here"):  # noqa: SIM117
        with EnvironmentStore.create("s3://no-such-bucket/store") as writer:
            writer.add(*make_task())
