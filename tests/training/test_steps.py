"""How many steps there are while prompts are still being made."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ftrl.errors import FtrlError
from ftrl.training.config import OptimConfig, SelectConfig
from ftrl.training.prompt_chunks import PromptChunks
from ftrl.training.prompt_files import PromptFiles
from ftrl.training.snapshot_rows import ROW_COLUMNS
from ftrl.training.steps import Steps
from ftrl.training.stream import PromptStream

SIZES = (5, 0, 9, 3)
"""Prompts of four chunks: 17, four batches of 4."""


def files(folder: Path, count: int) -> list[PromptFiles]:
    return [PromptFiles(folder / str(number)) for number in range(count)]


def make(prompts: PromptFiles, name: str, size: int) -> None:
    rows = [{"trajectory_id": f"{name}-{n}", "order": n, "sample": 0, "step": 0} for n in range(size)]
    prompts.make(1, [pa.Table.from_pylist(rows, schema=ROW_COLUMNS)], SelectConfig())


def steps_of(chunks: list[PromptFiles], **optim: Any) -> Steps:
    settings = OptimConfig.model_validate({"batch_size": 4, "mini_batch_size": 4, **optim})
    return Steps(PromptChunks(chunks), settings, most_prompts=40)


@pytest.fixture
def made(tmp_path: Path) -> list[PromptFiles]:
    """All four."""
    chunks = files(tmp_path, len(SIZES))
    for number, (chunk, size) in enumerate(zip(chunks, SIZES, strict=True)):
        make(chunk, str(number), size)
    return chunks


@pytest.mark.parametrize(
    ("optim", "total"), [({}, 4), ({"epochs": 2}, 8), ({"max_steps": 3}, 3), ({"epochs": 2, "max_steps": 100}, 8)]
)
def test_there_are_whole_batches_in_all_passes_but_no_more_than_are_asked_for(
    made: list[PromptFiles], optim: dict[str, int], total: int
) -> None:
    steps = steps_of(made, **optim)
    assert steps.total() == steps.bound() == total
    assert [steps.done(trained) for trained in range(total + 1)] == [False] * total + [True]


@pytest.mark.parametrize("optim", [{}, {"epochs": 2}, {"max_steps": 3}, {"epochs": 2, "max_steps": 5}])
def test_a_step_knows_whether_it_is_the_last_and_nothing_beyond(made: list[PromptFiles], optim: dict[str, int]) -> None:
    steps = steps_of(made, **optim)
    for step in range(1, steps.total()):
        assert step < steps.known_at(step) <= steps.total()
    assert steps.known_at(steps.total()) == steps.total()


def test_what_a_step_is_told_is_the_same_however_many_chunks_have_been_made(
    made: list[PromptFiles], tmp_path: Path
) -> None:
    # The first batch is in the first chunk, and that another one follows is seen in the third.
    assert [steps_of(made).known_at(step) for step in (0, 1, 2, 3, 4)] == [1, 3, 3, 4, 4]
    early = files(tmp_path / "early", len(SIZES))
    for number in range(3):
        make(early[number], str(number), SIZES[number])
    assert [steps_of(early).known_at(step) for step in (0, 1, 2)] == [1, 3, 3]
    assert steps_of(early).bound() == 10, "of the most prompts that there may be"
    assert not steps_of(early).done(3)


def test_too_few_prompts_for_a_batch_are_an_error(tmp_path: Path) -> None:
    [chunk] = files(tmp_path, 1)
    make(chunk, "0", 3)
    with pytest.raises(FtrlError, match="3 prompts of at most 16384 tokens are fewer than one batch of 4"):
        steps_of([chunk]).done(0)


def test_whoever_needs_a_chunk_waits_until_it_is_made(tmp_path: Path) -> None:
    chunks = files(tmp_path, 2)
    make(chunks[0], "0", 5)
    steps, happened = steps_of(chunks), list[str]()

    def read() -> None:
        for batch in PromptStream(steps.prompts, 4):
            happened.append(f"a batch with {batch['trajectory_id'][-1]}")
        happened.append(f"{steps.known_at(2)} steps")

    reader = threading.Thread(target=read)
    reader.start()
    while not happened:
        assert reader.is_alive()
    happened.append("the second chunk")
    make(chunks[1], "1", 4)
    reader.join()
    assert happened == ["a batch with 0-3", "the second chunk", "a batch with 1-2", "2 steps"]


def test_a_position_beyond_the_first_chunks_opens_none_of_them(made: list[PromptFiles], tmp_path: Path) -> None:
    prompts = PromptChunks(made)
    whole = [id_ for table in prompts.read() for id_ in table["trajectory_id"].to_pylist()]
    assert len(whole) == prompts.selected().prompts == sum(SIZES)
    for file in (tmp_path / "0").glob("*.parquet"):
        file.write_bytes(b"damaged")
    for skip in (5, 6, 13, 14, 16, 17):
        assert [id_ for table in prompts.read(skip) for id_ in table["trajectory_id"].to_pylist()] == whole[skip:]
