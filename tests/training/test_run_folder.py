"""What a run folder knows of the work that is done, after whatever ended it."""

from __future__ import annotations

from pathlib import Path

from ftrl.training.run_folder import RunFolder


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
