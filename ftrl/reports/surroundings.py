"""With what the run was made: versions of the software, and every setting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftrl.reports.data import SettingsTable, Surroundings
from ftrl.reports.run import Run


def surroundings_of(run: Run) -> Surroundings | None:
    """Versions and settings; none where no stage has noted any."""
    tables = tuple(_tables(run))
    versions = _versions(run)
    return Surroundings(versions=versions, settings=tables) if tables or versions else None


def _versions(run: Run) -> tuple[tuple[str, str], ...]:
    """Of the software that evaluated; more than one where evaluations differ."""
    found: dict[str, list[str]] = {}
    for one in run.evaluations:
        for name, version in one.stored.results.versions.items():
            if version not in found.setdefault(name, []):
                found[name].append(version)
    return tuple((name, ", ".join(versions)) for name, versions in found.items())


def _tables(run: Run) -> Iterator[SettingsTable]:
    for training in run.training:
        settings = training.config.model_dump(mode="json")
        yield SettingsTable(title=f"Training: {training.label}", rows=tuple(_flat(settings)))
    for episodes in run.episodes:
        collection = episodes.collection
        rows = [
            ("policy", collection.policy.name),
            ("weights", collection.policy.weights or "not known"),
            *_flat(collection.settings.model_dump(mode="json")),
        ]
        yield SettingsTable(title=f"Episodes: {episodes.label}", rows=tuple(rows))


def _flat(settings: Mapping[str, Any], inside: str = "") -> Iterator[tuple[str, str]]:
    """Settings by dotted name."""
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{inside}{name}.")
        else:
            shown = "none" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{inside}{name}", shown
