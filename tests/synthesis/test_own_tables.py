"""The user's own tables as the source of environments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ftrl.environments import EnvironmentStore, Scenario
from ftrl.synthesis import SynthesisConfig, golden_turns, synthesize

TOWNS = ("Ardmore", "Belfort", "Cazorla", "Dornach", "Esbjerg", "Fermo", "Gorlitz", "Hobart", "Izmir", "Jerez")
PEOPLE = ("Ana Ruiz", "Bo Lind", "Cy Park", "Di Moreau", "Ed Novak", "Flo Haas", "Gus Olsen", "Hal Webb", "Ida Roth")


def shop(folder: Path) -> Path:
    """Three CSV files: makers in towns, products of makers, all found out from names and values."""
    folder.mkdir(exist_ok=True)
    towns = ["town_code,name,founded", *(f"X{i}Q,{name},{1200 + 37 * i}-03-{i + 1:02}" for i, name in enumerate(TOWNS))]
    makers = ["maker_id,maker_name,town_code,Head Count"]
    makers += [f"{i},Works of {name},X{i * 3 % 10}Q,{3100 + i * 431}" for i, name in enumerate(PEOPLE, start=1)]
    products = ["id,title,maker_id,unitPrice"]
    products += [f"{i},Lamp No. {i * 7919},{i % 9 + 1},{i * 3}.{i % 9 + 1}5" for i in range(1, 40)]
    for name, lines in (("towns", towns), ("makers", makers), ("products", products)):
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., EnvironmentStore]:
    def made(*tables: str | Path, name: str = "store", **options: object) -> EnvironmentStore:
        config = {"out": str(tmp_path / name), "tables": tuple(map(str, tables)), "count": 8, **options}
        synthesize(SynthesisConfig.model_validate(config))
        return EnvironmentStore.open(str(tmp_path / name))

    return made


def test_a_folder_of_csv_files_becomes_verified_tasks_of_all_scenarios(make, tmp_path):
    store = make(shop(tmp_path / "shop"), count=24)
    assert len(store) == 24
    assert {environment.scenario for environment in store} == set(Scenario)
    for environment in store:
        assert environment.provenance["verified"]["golden"] == len(environment.trace)
        assert golden_turns(environment)[-1] == environment.answer
        assert len(environment.provenance["tables"]) == 64
