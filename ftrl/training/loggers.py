"""Trackers of a run: verl writes to them; here they are looked after before anything starts."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from ftrl.errors import InputError
from ftrl.training.config import Logger


def check_loggers(loggers: Sequence[Logger]) -> None:
    """See that every tracker's package is there: verl would stumble over it minutes later.

    Raises:
        InputError: one is missing; names the package.
    """
    for name in loggers:
        if name != "console" and importlib.util.find_spec(name) is None:
            raise InputError(
                f"the logger {name} needs the package {name}, which is not installed; pip install {name}, or leave it "
                "out of loggers",
                field="loggers",
            )
