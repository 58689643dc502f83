"""verl's own configuration as it is before us, and which names it knows. verl itself is not imported for that."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ftrl.errors import FtrlError, InputError
from ftrl.settings_files import meant


@cache
def verl_defaults(name: str = "ppo_trainer") -> DictConfig:
    """A configuration of verl's, for PPO and its relatives unless said; shared by all callers: not to be changed.

    Raises:
        FtrlError: verl is not installed.
    """
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(_folder()), version_base=None):
        return compose(name)


def _folder() -> Path:
    """Where verl keeps its configuration, found without importing verl, which takes many seconds."""
    spec = importlib.util.find_spec("verl")
    if spec is None or not spec.submodule_search_locations:
        raise FtrlError("training needs verl, which is not installed; `ftrl doctor` tells how to get it")
    return Path(spec.submodule_search_locations[0]) / "trainer" / "config"


def check_overrides(overrides: Mapping[str, Any]) -> None:
    """See to it that every override is of a setting that verl has, as verl's own command line does.

    Below a group that is empty in verl's configuration, anything may stand; so may a name with a ``+`` before it.

    Args:
        overrides: values by dotted name.

    Raises:
        InputError: a name is none of verl's; its field is ``verl.`` and the name.
        FtrlError: there are overrides, and verl is not installed.
    """
    if not overrides:
        return
    known = OmegaConf.to_container(verl_defaults())
    for key in overrides:
        if key.startswith("+") or _is_setting(key.split("."), known):
            continue
        raise InputError(
            f"verl has no such setting{meant(key, _names(known))} (+{key} adds it all the same)", field=f"verl.{key}"
        )


def _is_setting(names: list[str], known: Any) -> bool:
    for name in names:
        if known == {}:
            return True
        if not isinstance(known, dict) or name not in known:
            return False
        known = known[name]
    return True


def _names(known: Any, above: str = "") -> Iterator[str]:
    for name, value in known.items():
        yield above + name
        if isinstance(value, dict):
            yield from _names(value, f"{above}{name}.")
