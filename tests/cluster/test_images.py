"""The Dockerfiles: small, pinned, not root, and with what the manifests start."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
STACKS = ["cpu", "gpu"]
every_image = pytest.mark.parametrize("stack", STACKS)


def instructions(stack: str) -> list[tuple[str, str]]:
    """The Dockerfile's instructions, lines joined, comments left out."""
    text = re.sub(r"^#.*\n", "", (ROOT / "cluster" / f"Dockerfile.{stack}").read_text(), flags=re.MULTILINE)
    lines = [line for line in re.sub(r"\\\n\s*", " ", text).splitlines() if line.strip()]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


@every_image
def test_hadolint_has_nothing_to_say(stack: str) -> None:
    beside = Path(sys.executable).parent / "hadolint"
    program = str(beside) if beside.exists() else shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run(
        [program, str(ROOT / "cluster" / f"Dockerfile.{stack}")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@every_image
def test_everything_that_comes_from_elsewhere_is_pinned(stack: str) -> None:
    for name, rest in instructions(stack):
        if name == "FROM":
            assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+( AS build)?", rest)
        for package in re.findall(r"(?:--no-install-recommends|pip install --no-cache-dir) ([^&]+)", rest):
            assert all("=" in each for each in package.split()), package


@every_image
def test_the_stack_is_installed_at_the_versions_of_the_project(stack: str) -> None:
    (command,) = [rest for name, rest in instructions(stack) if name == "RUN" and "uv pip install" in rest]
    files = re.findall(r"constraints/[\w-]+\.txt", command)
    assert files[0] == f"constraints/{stack}.txt"
    assert all((ROOT / file).is_file() for file in files)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert command.endswith(f'".[{stack}]"')
    assert stack in extras


@every_image
def test_what_is_copied_exists_and_gets_past_the_ignored(stack: str) -> None:
    ignored = (ROOT / "cluster" / f"Dockerfile.{stack}.dockerignore").read_text().split("\n")
    assert "*" in ignored, "what is not named stays outside: no secret, no data"
    for name, rest in instructions(stack):
        if name == "COPY" and not rest.startswith("--from=build"):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in ignored


@every_image
def test_the_image_runs_as_nobody_and_has_the_jobs_where_the_manifests_look_for_them(stack: str) -> None:
    steps = instructions(stack)
    last = steps[max(index for index, (name, _) in enumerate(steps) if name == "FROM") :]
    assert [rest for name, rest in last if name == "USER"] == ["1000:1000"]
    assert ("WORKDIR", "/opt/ftrl") in last
    assert ("COPY", "jobs jobs") in last
    assert any("PATH=/opt/ftrl/.venv/bin:$PATH" in rest for name, rest in last if name == "ENV")
    assert any("wget" in rest for name, rest in last if name == "RUN"), "KubeRay's probes need it"
