"""A task with tools of every temper, in a store, and servers of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from ftrl.environments import Environment, EnvironmentStore, Gold, Scenario, SubQuestion, source_id
from ftrl.sandbox import Sandbox

QUESTION = "How many people live in the capital of Atlantis? Ünïcode, „quotes“ and\na second line."
ANSWER = "1,200 souls"

SOURCES = {
    "capital_of": "def capital_of(country):\n    return {'Atlantis': 'Poseidonis', 'Lemuria': 'Ram'}[country]\n",
    "population_of": (
        "def population_of(city, *, unit='heads'):\n"
        "    return {'city': city, 'population': {'Poseidonis': 1200, 'Ram': 77}[city], 'unit': unit}\n"
    ),
    "hang": "def hang():\n    while True:\n        pass\n",
    "shout": (
        "def shout(text):\n"
        "    import os, sys\n"
        "    print(text)\n"
        "    print(text, file=sys.stderr)\n"
        "    for number in (1, 2):\n"
        '        os.write(number, b\'{"jsonrpc": "2.0"}\\n\')\n'
        "    return text\n"
    ),
    "steal": (
        "def steal(target):\n"
        "    import gc, os\n"
        "    if target == 'forge':\n"
        "        for number in range(64):\n"
        "            try:\n"
        '                os.write(number, b\'{"jsonrpc": "2.0"}\\n\')\n'
        "            except OSError:\n"
        "                pass\n"
        "    if target == 'exit':\n"
        "        os._exit(0)\n"
        "    if target == 'kill':\n"
        "        os.kill(os.getppid(), 9)\n"
        "        return 'killed'\n"
        "    if target == 'environment':\n"
        "        return dict(os.environ)\n"
        "    if target == 'memory':\n"
        "        return [str(o)[:200] for o in gc.get_objects() if isinstance(o, dict) and 'golds' in o]\n"
        "    return open(target).read()\n"
    ),
    "half": "def half():\n    return '\\ud83d'\n",
}


def tool(name: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "description": f"Does {name}.", "parameters": parameters}}


UNIT = {"type": ["string", "null"], "enum": ["heads", None], "default": None, "x-own": {"kept": None, "as": [1.0, "é"]}}

TOOLS = (
    tool("capital_of", {"country": {"type": "string", "description": "A country."}}, ["country"]),
    tool("population_of", {"city": {"type": "string"}, "unit": UNIT}, ["city"]),
    {"type": "function", "function": {"name": "hang", "description": "Hangs."}},
    tool("shout", {"text": {"type": "string"}}, ["text"]),
    tool("steal", {"target": {"type": "string"}}, ["target"]),
    tool("half", {}, []),
)

TRACE = (
    SubQuestion(
        id="q1",
        text="What is the capital of Atlantis?",
        answer="Poseidonis",
        tool="capital_of",
        arguments={"country": "Atlantis"},
    ),
    SubQuestion(
        id="q2",
        text="How many people live there?",
        answer="1200",
        depends_on=("q1",),
        tool="population_of",
        arguments={"city": "Poseidonis"},
    ),
)

GOLDS = (
    Gold(tool="capital_of", value="Poseidonis", sub_question="q1"),
    Gold(tool="population_of", value="1200", sub_question="q2"),
)


def make_environment(question: str = QUESTION, split: str = "train") -> Environment:
    return Environment(
        scenario=Scenario.MULTI_HOP,
        question=question,
        answer=ANSWER,
        tools=TOOLS,
        implementations={name: source_id(source) for name, source in SOURCES.items()},
        golds=GOLDS,
        trace=TRACE,
        split=split,
        provenance={"generator": "hand", "secret": "PROVENANCE"},
    )


@pytest.fixture(scope="session")
def task() -> SimpleNamespace:
    """The task of row 0: its environment, and what it is made of."""
    return SimpleNamespace(
        environment=make_environment(), question=QUESTION, answer=ANSWER, sources=SOURCES, tools=TOOLS, trace=TRACE
    )


@pytest.fixture(scope="session")
def serve() -> Callable[..., list[str]]:
    """A function that makes the command line of ``ftrl env serve …``."""
    return serve_command


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(1) as made:
        yield made


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store of three tasks; row 0 is the one of ``QUESTION``."""
    path = str(tmp_path_factory.mktemp("serving") / "store")
    with EnvironmentStore.create(path) as writer:
        writer.add(make_environment(), SOURCES)
        writer.add(make_environment("And in Lemuria's?"), SOURCES)
        writer.add(make_environment("And in Mu's?", split="test"), SOURCES)
    return path


def serve_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ftrl.cli", "env", "serve", *arguments]


@contextmanager
def http_server(*arguments: str) -> Iterator[str]:
    """The address of ``ftrl env serve … --http 0``."""
    process = subprocess.Popen(
        serve_command(*arguments, "--http", "0"),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def address(store: str) -> Iterator[str]:
    """A server of the task in row 0, over HTTP."""
    with http_server(store, "0", "--timeout", "1.5", "--workers", "2") as serving:
        yield serving


@pytest.fixture
def patient_address(store: str) -> Iterator[str]:
    """Another server of the task in row 0, which lets a call that hangs go on for long."""
    with http_server(store, "0", "--timeout", "60", "--workers", "2") as serving:
        yield serving
