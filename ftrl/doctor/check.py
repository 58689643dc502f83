"""The record that every check fills in."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["ok", "warning", "missing"]
"""``missing``: the quickstart cannot run; ``warning``: something will be slower, or less safe."""


class Check(BaseModel):
    """One thing that was looked at."""

    model_config = ConfigDict(frozen=True)

    area: str
    """What it belongs to: machine, packages, gpu, ray, isolation, environment."""
    name: str
    """What was looked at: ``memory``, ``torch``, …"""
    status: Status
    """How it stands."""
    found: str
    """What was found, as a person reads it: ``24 GB``, ``2.13.0+cpu``."""
    advice: str = ""
    """What to do about it; empty where nothing needs doing."""
