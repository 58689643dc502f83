"""The project itself: map, metadata, make targets, command line, and what must never be in it."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
ROOMS = sorted(file.parent.name for file in (ROOT / "ftrl").glob("*/__init__.py"))
"""Every package of ``ftrl``."""

COMMANDS = [
    "quickstart",
    "doctor",
    "synth",
    "env",
    "sandbox",
    "reward",
    "rollout",
    "train",
    "eval",
    "model",
    "report",
    "view",
]
"""The commands of the contract that exist so far."""


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


@cache
def tracked_files() -> list[Path]:
    try:
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


# The map


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_tells_in_under_25_lines_what_it_is(room: str) -> None:
    docstring = ast.get_docstring(ast.parse((ROOT / "ftrl" / room / "__init__.py").read_text())) or ""
    assert len(docstring.splitlines()) < 25
    if room != "commands":  # its modules speak for themselves: one command each
        assert len(docstring.splitlines()) > 3, "what comes in, what goes out, the ideas"


def test_every_room_has_an_import_contract_and_every_other_room_says_whether_it_may_import_it() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    for room in set(ROOMS) - {"commands"}:
        own = contracts[f"importlinter:contract:{room}"]
        assert own["source_modules"].split() == [f"ftrl.{room}"]
        forbidden = {name.removeprefix("ftrl.") for name in own["forbidden_modules"].split()}
        allowed = set(re.findall(r"\w+", own["name"].partition("imports")[2])) - {
            "nothing",
            "of",
            "ours",
            "and",
        }
        assert forbidden | allowed | {room} == {*ROOMS, "cli"}, f"the contract of {room} leaves a room out"
        assert not forbidden & allowed


# Metadata


def test_all_requirements_of_all_extras_can_be_read() -> None:
    assert set(project()["optional-dependencies"]) == {"cpu", "gpu", "google", "duckdb", "dev"}
    for group in (project()["dependencies"], *project()["optional-dependencies"].values()):
        names = [canonicalize_name(Requirement(text).name) for text in group]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("stack", ["cpu", "gpu"])
def test_constraints_are_plain_pins_that_meet_what_the_project_asks_for(stack: str) -> None:
    lines = (ROOT / "constraints" / f"{stack}.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    for pin in pins:
        assert re.fullmatch(r"==[\w.+]+", str(pin.specifier)), f"{pin} pins no version"
        assert pin.url is None
        assert pin.marker is None or "python" in str(pin.marker)
    wanted = [*project()["dependencies"], *project()["optional-dependencies"][stack]]
    for requirement in map(Requirement, wanted):
        for pin in pins:
            if canonicalize_name(pin.name) == canonicalize_name(requirement.name):
                version = str(pin.specifier).removeprefix("==")
                assert requirement.specifier.contains(version), f"{pin} does not meet {requirement}"


def test_there_is_one_version() -> None:
    from ftrl import __version__

    assert project()["version"] == __version__


def test_every_library_that_we_import_is_one_that_we_ask_for() -> None:
    extras = project()["optional-dependencies"]
    asked = {
        canonicalize_name(Requirement(text).name)
        for group in (project()["dependencies"], *(group for name, group in extras.items() if name != "dev"))
        for text in group
    }
    providers = importlib.metadata.packages_distributions()
    for file in sorted((ROOT / "ftrl").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and node.level == 0
                else []
            )
            for name in (name.partition(".")[0] for name in names):
                if name not in {*sys.stdlib_module_names, "ftrl"}:
                    known = {canonicalize_name(provider) for provider in providers.get(name, [])}
                    where = f"{file.relative_to(ROOT)} imports {name}"
                    assert known & asked, f"{where}, which pyproject.toml does not ask for"


# Make


def test_every_make_target_is_explained_by_make_help() -> None:
    targets = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets is not None
    helped = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  make ([a-z-]+) +\S", helped, re.MULTILINE) == targets[1].split()


# What must never be in it


def test_no_tracked_file_names_a_place_on_somebodys_machine_or_a_package_index() -> None:
    hosts = ["pypi" + ".org", "pythonhosted" + ".org", "download.pytorch" + ".org"]
    machine_path = r"(?<![\w.])/(?:work|root|home/[a-z]\w*|Users/\w+|tmp/try)/"
    index = r"https?://[^\s'\"]+/simple\b"
    forbidden = re.compile("|".join([*map(re.escape, hosts), machine_path, index]))
    found = [
        f"{file.relative_to(ROOT)}:{number}: {match[0]}"
        for file in tracked_files()
        if file != Path(__file__)
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1)
        if (match := forbidden.search(line))
    ]
    assert not found


def test_no_tracked_file_is_large_but_the_weights_of_the_tiny_policy() -> None:
    large = [file for file in tracked_files() if file.stat().st_size > 500_000]
    assert large == [ROOT / "ftrl/tiny_policy/policy/model.safetensors"]


# The command line


def run_python(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_line_imports_no_engine_so_that_help_is_fast() -> None:
    engines = ("torch", "ray", "vllm", "verl", "transformers")
    loaded = run_python(f"import sys, ftrl.cli; print([name for name in {engines} if name in sys.modules])")
    assert loaded.strip() == "[]"


def test_help_lists_every_command() -> None:
    text = run_python("import sys; sys.argv = ['ftrl', '--help']; from ftrl.cli import main; main()")
    for name in COMMANDS:
        assert re.search(rf"^\W*{name}\b", text, re.MULTILINE), f"ftrl --help does not list {name}"


def test_every_command_has_a_help_with_an_example() -> None:
    import typer
    from typer.testing import CliRunner

    from ftrl.cli import app

    def leaves(command: Any, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        children = getattr(command, "commands", None)
        if children is None:
            return [path]
        shown = {name: child for name, child in children.items() if not child.hidden}
        return [leaf for name, child in shown.items() for leaf in leaves(child, (*path, name))]

    without = []
    for path in leaves(typer.main.get_command(app), ()):
        result = CliRunner().invoke(app, [*path, "--help"])
        assert result.exit_code == 0, path
        if "example" not in result.stdout.lower():
            without.append(" ".join(path))
    assert not without, "these commands show no example in their --help"
