"""Trackers are chosen by name, and one that cannot work is refused before anything starts."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import get_args

import pytest
import yaml

from ftrl.errors import InputError
from ftrl.training.config import Logger, TrainConfig, load_config
from ftrl.training.dry_run import resolved_yaml
from ftrl.training.loggers import check_loggers

MINIMAL = {"model": "models/m", "tasks": "stores/t", "out": "runs/r"}


def test_tensorboard_is_written_unless_something_else_is_said() -> None:
    told = yaml.safe_load(resolved_yaml(TrainConfig.model_validate(MINIMAL)))
    assert told["trainer"]["logger"] == ["console", "tensorboard"]


@pytest.mark.parametrize("name", get_args(Logger))
def test_verl_has_every_tracker_under_its_name(name: str) -> None:
    from verl.utils.tracking import Tracking

    assert name in Tracking.supported_backend


def test_a_tracker_that_does_not_exist_is_refused_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({**MINIMAL, "loggers": ["console", "wandby"]}))
    with pytest.raises(InputError, match=r"run\.yaml:\d+: field 'loggers\.1'"):
        load_config(str(tmp_path / "run.yaml"))


def test_a_tracker_without_its_package_is_refused_with_the_packages_name(monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "swanlab" else there(name))
    check_loggers(["console", "tensorboard"])
    with pytest.raises(InputError, match="needs the package swanlab, which is not installed; pip install swanlab"):
        check_loggers(["console", "swanlab"])
