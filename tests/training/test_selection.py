"""What is left out of the prompts, decided on the rows alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrl.training.config import SelectConfig
from ftrl.training.prompt_files import PromptFiles
from ftrl.training.selection import Selection
from ftrl.training.snapshot_rows import ROW_COLUMNS


def table(count: int, seed: int = 0, **columns: list[Any]) -> pa.Table:
    """So many rows with random places; the other columns as given."""
    rng = np.random.default_rng(seed)
    numbers = {name: rng.integers(0, 2**64, count, np.uint64) for name in ("order", "scenario_draw", "solve_rate_draw")}
    rows = [
        {
            "trajectory_id": f"{number:06d}",
            "step": 0,
            "sample": 0,
            "prompt_ids": [number] * 3,
            "scenario": "multi_hop",
            "solve_rate": 0.0,
            **{name: int(column[number]) for name, column in numbers.items()},
            **{name: values[number] for name, values in columns.items()},
        }
        for number in range(count)
    ]
    return pa.Table.from_pylist(rows, schema=ROW_COLUMNS)


def kept(select: SelectConfig, rows: pa.Table) -> tuple[pa.Table, Counter[str]]:
    return Selection(select, lambda: [rows]).of(rows)


def test_nothing_is_left_out_unless_it_is_asked_for() -> None:
    rows, left_out = kept(SelectConfig(), table(100, scenario=["single_hop"] * 99 + ["multi_hop"]))
    assert len(rows) == 100
    assert left_out == {}


def test_no_scenario_has_more_than_its_share_and_the_rarest_is_kept_whole() -> None:
    scenarios = ["single_hop"] * 700 + ["multi_hop"] * 250 + ["parallel_multi_hop"] * 50
    rows, left_out = kept(SelectConfig(scenario_cap=3), table(1000, scenario=scenarios))
    assert Counter(rows["scenario"].to_pylist()) == {"single_hop": 150, "multi_hop": 150, "parallel_multi_hop": 50}
    assert left_out == {"scenario cap": 650}


def test_states_in_which_nothing_something_and_all_is_solved_are_balanced() -> None:
    rates = [0.0] * 600 + [0.25, 0.5] * 150 + [1.0] * 100
    rows, left_out = kept(SelectConfig(solve_rate_cap=1), table(1000, solve_rate=rates))
    found = Counter(rows["solve_rate"].to_pylist())
    assert (found[0.0], found[0.25] + found[0.5], found[1.0]) == (100, 100, 100)
    assert left_out == {"solve rate cap": 700}


def test_balancing_scenarios_first_leaves_them_balanced_when_solve_rates_follow() -> None:
    scenarios = ["single_hop"] * 9000 + ["multi_hop"] * 1000
    rates = [0.0, 0.5] * 4500 + [0.0, 0.0, 0.0, 0.5] * 250
    rows, _ = kept(SelectConfig(scenario_cap=1, solve_rate_cap=1), table(10_000, scenario=scenarios, solve_rate=rates))
    solved = Counter(rows["solve_rate"].to_pylist())
    assert solved[0.0] == solved[0.5]
    found = Counter(rows["scenario"].to_pylist())
    # Of the states with nothing solved, both scenarios lose the same share.
    assert found["single_hop"] == pytest.approx(500 * 0.6 + 500, abs=60)


def test_of_equal_states_the_first_sample_stays() -> None:
    rows, left_out = kept(
        SelectConfig(drop_repeated_states=True),
        table(6, order=[5, 5, 5, 2, 2, 9], sample=[2, 0, 1, 1, 0, 0]),
    )
    assert list(zip(rows["order"].to_pylist(), rows["sample"].to_pylist(), strict=True)) == [(2, 0), (5, 0), (9, 0)]
    assert left_out == {"repeated state": 3}


@given(st.permutations(range(40)), st.integers(1, 7))
def test_what_is_selected_does_not_depend_on_the_order_in_which_rows_come(order: list[int], parts: int) -> None:
    rows = table(40, scenario=["single_hop"] * 30 + ["multi_hop"] * 10)
    select = SelectConfig(scenario_cap=1)
    expected = kept(select, rows)[0]["trajectory_id"].to_pylist()
    turned = rows.take(order)
    assert kept(select, turned)[0]["trajectory_id"].to_pylist() == expected


# On disk


def read(prompts: PromptFiles, skip: int = 0) -> list[str]:
    return [id_ for rows in prompts.read(skip) for id_ in rows["trajectory_id"].to_pylist()]


def in_pieces(rows: pa.Table, size: int) -> list[pa.Table]:
    return [rows.slice(start, size) for start in range(0, len(rows), size)]


@pytest.mark.parametrize("episodes", [10, 20_000])
def test_prompts_on_disk_are_sorted_whatever_the_number_of_files(episodes: int, tmp_path: Path) -> None:
    rows, prompts = table(1000), PromptFiles(tmp_path / "prompts")
    prompts.make(episodes, in_pieces(rows, 64), SelectConfig())
    expected = rows.sort_by("order")["trajectory_id"].to_pylist()
    assert read(prompts) == expected
    for skip in (0, 1, 127, 128, 500, 999, 1000, 2000):
        assert read(prompts, skip) == expected[skip:]


def test_what_was_cut_off_is_not_there_and_is_made_again(tmp_path: Path) -> None:
    prompts = PromptFiles(tmp_path / "prompts")

    def dying() -> Any:
        yield table(100)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prompts.make(10, dying(), SelectConfig())
    assert not prompts.exist()
    prompts.make(10, [table(100)], SelectConfig())
    assert prompts.exist()
    assert prompts.selected().prompts == len(read(prompts)) == 100
