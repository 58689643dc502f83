"""What a run folder knows of the work that is done, after whatever ended it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ftrl.errors import InputError
from ftrl.training.config import TrainConfig
from ftrl.training.run_folder import RunFolder

MINIMAL = {"model": "models/m", "tasks": "stores/t"}


def test_metrics_of_steps_after_the_last_checkpoint_are_taken_back(tmp_path: Path) -> None:
    (tmp_path / "iteration-1").mkdir()
    metrics = RunFolder(str(tmp_path)).metrics(1)
    for step in (1, 2, 3):
        metrics.append(step, 5, {"actor/grad_norm": step / 2})
    metrics.rewind(2)
    metrics.append(3, 5, {"actor/grad_norm": 9.0})
    assert [(row["step"], row["total"], row["actor/grad_norm"]) for row in metrics.rows()] == [
        (1, 5, 0.5),
        (2, 5, 1.0),
        (3, 5, 9.0),
    ]


def test_a_row_that_was_cut_off_in_the_middle_is_no_row(tmp_path: Path) -> None:
    (tmp_path / "iteration-1").mkdir()
    metrics = RunFolder(str(tmp_path)).metrics(1)
    metrics.append(1, 2, {})
    with (tmp_path / "iteration-1/metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "tot')
    assert [row["step"] for row in metrics.rows()] == [1]
    metrics.rewind(1)
    metrics.append(2, 2, {})
    assert [row["step"] for row in metrics.rows()] == [1, 2]


def test_a_run_without_checkpoints_has_trained_nothing(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path))
    assert run.trained(1) == 0
    assert run.metrics(1).rows() == []
    run.checkpoints(1).mkdir(parents=True)
    (run.checkpoints(1) / "latest_checkpointed_iteration.txt").write_text("12")
    assert run.trained(1) == 12


def checkpoint(run: RunFolder, step: int, *, last: str | None = None) -> None:
    (run.checkpoints(1) / f"global_step_{step}" / "actor").mkdir(parents=True)
    if last is not None:
        (run.checkpoints(1) / "latest_checkpointed_iteration.txt").write_text(last)


def kept(run: RunFolder) -> list[str]:
    return sorted(path.name for path in run.checkpoints(1).glob("global_step_*"))


def test_a_checkpoint_that_was_cut_off_and_those_before_the_last_are_removed(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path))
    for step in (2, 4, 6):
        checkpoint(run, step, last="4")
    run.mend(1)
    assert kept(run) == ["global_step_4"]
    assert run.trained(1) == 4


def test_where_the_trainer_died_while_it_named_its_last_checkpoint_that_is_the_newest(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path))
    checkpoint(run, 4)
    checkpoint(run, 6, last="")
    assert run.trained(1) == 0
    run.mend(1)
    assert kept(run) == ["global_step_6"]
    assert run.trained(1) == 6


def test_where_it_died_in_its_first_checkpoint_there_is_none(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path))
    checkpoint(run, 2)
    run.mend(1)
    assert kept(run) == []
    assert run.trained(1) == 0


def config(folder: Path, **settings: object) -> TrainConfig:
    return TrainConfig.model_validate({**MINIMAL, "out": str(folder), **settings})


def test_a_run_goes_on_only_with_the_settings_that_make_it_what_it_is(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path))
    run.claim(config(tmp_path, seed=1))
    run.claim(config(tmp_path, seed=1))
    with pytest.raises(InputError, match=r"other settings \(seed\)"):
        run.claim(config(tmp_path, seed=2))


def test_how_it_is_watched_and_how_long_it_is_waited_for_may_change(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path))
    run.claim(config(tmp_path))
    run.claim(config(tmp_path, step_timeout=5, restarts=0, loggers=["console"]))
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["step_timeout"] == 5


def test_a_folder_of_a_version_that_did_not_know_a_setting_had_its_default(tmp_path: Path) -> None:
    run = RunFolder(str(tmp_path))
    run.claim(config(tmp_path))
    known = yaml.safe_load((tmp_path / "config.yaml").read_text())
    del known["select"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(known))
    run.claim(config(tmp_path))
    with pytest.raises(InputError, match="select"):
        run.claim(config(tmp_path, select={"drop_flat_tasks": True}))
