"""A small task that can be solved in two calls, ways of speaking about it, and trajectories to store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftrl.environments import Environment, Gold, Scenario, source_id
from ftrl.models import init_tiny
from ftrl.rollouts import EpisodeKey, EpisodeSettings, Policy, ScriptedPolicy, Trajectory, run_episode
from ftrl.sandbox import Sandbox

SOURCES = {
    "capital_of": (
        "def capital_of(country):\n    return {'Atlantis': 'Poseidonis', 'Lemuria': 'Ram'}.get(country, 'unknown')\n"
    ),
    "population_of": "def population_of(city):\n    return {'city': city, 'population': {'Poseidonis': 1200}[city]}\n",
}


def schema(name: str, parameter: str) -> dict[str, Any]:
    properties = {parameter: {"type": "string", "description": f"A {parameter}."}}
    parameters = {"type": "object", "properties": properties, "required": [parameter]}
    return {"type": "function", "function": {"name": name, "description": "Looks up.", "parameters": parameters}}


TOOLS = (schema("capital_of", "country"), schema("population_of", "city"))
GOLDS = (Gold(tool="capital_of", value="Poseidonis"), Gold(tool="population_of", value="1200"))


def make_environment(question: str = "How many people live in the capital of Atlantis?") -> Environment:
    return Environment(
        scenario=Scenario.MULTI_HOP,
        question=question,
        answer="1200",
        tools=TOOLS,
        implementations={name: source_id(source) for name, source in SOURCES.items()},
        golds=GOLDS,
        data_source="self/multi_hop",
    )


def say(*calls: tuple[str, Any]) -> str:
    """A turn that makes these calls."""
    return "\n".join(
        f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>" for name, arguments in calls
    )


CAPITAL = say(("capital_of", {"country": "Atlantis"}))
POPULATION = say(("population_of", {"city": "Poseidonis"}))


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1) as opened:
        yield opened


@pytest.fixture
def environment() -> Environment:
    return make_environment()


Play = Callable[..., Trajectory]


@pytest.fixture
def play(sandbox: Sandbox) -> Play:
    """A function that plays an episode with a script; by default, one that solves the task."""

    def playing(
        texts: list[str] | None = None,
        environment: Environment | None = None,
        run: str = "run",
        iteration: int = 0,
        sample: int = 0,
        policy: Policy | None = None,
        tools: Any = None,
        sources: dict[str, str] | None = None,
        **settings: Any,
    ) -> Trajectory:
        return asyncio.run(
            run_episode(
                environment or make_environment(),
                sources or SOURCES,
                policy or ScriptedPolicy([CAPITAL, POPULATION, "There are 1200."] if texts is None else texts),
                tools or sandbox,
                EpisodeSettings(**settings),
                EpisodeKey(run, iteration, sample),
            )
        )

    return playing


@dataclass(frozen=True)
class Scripts:
    """Turns that other tests build on."""

    capital: str = CAPITAL
    population: str = POPULATION

    @staticmethod
    def say(*calls: tuple[str, Any]) -> str:
        return say(*calls)


@pytest.fixture
def scripts() -> Scripts:
    return Scripts()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model with a context of 2,048 tokens."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    init_tiny(folder, context=2048)
    return folder


@pytest.fixture(scope="session")
def tasks_file() -> Callable[[Path, int], str]:
    """A function that writes so many tasks into a folder, in the published format, and tells the path."""

    def write(folder: Path, count: int) -> str:
        path = folder / "tasks.jsonl"
        with path.open("w") as file:
            for number in range(count):
                environment = make_environment(f"Task {number}: how many people live in the capital of Atlantis?")
                row = {
                    "messages": environment.messages(),
                    "tools": json.dumps(environment.tools),
                    "codes": json.dumps(SOURCES),
                    "unsolved_set": json.dumps(environment.unsolved()),
                    "solve_rate": 0.0,
                    "data_source": "self/multi_hop",
                    "split": "test",
                    "answer": "1200",
                }
                file.write(json.dumps(row) + "\n")
        return str(path)

    return write
