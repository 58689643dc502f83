"""Installed packages that tools may import: the few that are named, out of a folder that they do not see."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from types import ModuleType


class NamedPackages:
    """Finds the named packages and nothing beside them, at the end of the import path.

    Args:
        paths: a folder for a package, a ``.py`` file for a module.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = {os.path.basename(path).removesuffix(".py"): path for path in paths}

    def offer(self) -> None:
        """Let ``import`` find them from now on."""
        sys.meta_path.append(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """What ``import name`` would load; modules inside a package are found by way of the package."""
        place = self._paths.get(name)
        if place is None:
            return None
        if place.endswith(".py"):
            return importlib.util.spec_from_file_location(name, place)
        return importlib.util.spec_from_file_location(name, f"{place}/__init__.py", submodule_search_locations=[place])
