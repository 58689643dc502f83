"""Links lead somewhere, quoted messages are ours, each dependency has its row, and the site has every page."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import importlib.util
import inspect
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docs.pages import ROOT, Page, headings, pages

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture(scope="session")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "reference" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def reference(generator: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The generated pages, by name."""
    return {file.stem: file.read_text() for file in generator.write_all(tmp_path_factory.mktemp("reference"))}


# Links


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_relative_link_of_a_page_leads_to_a_file_and_a_heading_in_it(page: Page) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", page.prose())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.file.parent / path).resolve() if path else page.file
        assert file.exists(), f"{page.name}: {target} is not there"
        if anchor:
            assert anchor in headings(file.read_text()), f"{page.name}: {target}: no such heading"


def test_the_site_lists_every_page_once_and_no_other(generator: ModuleType) -> None:
    def listed(entry: Any) -> Iterator[str]:
        if isinstance(entry, str):
            yield entry
        else:
            for part in entry.values() if isinstance(entry, dict) else entry:
                yield from listed(part)

    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    written = [page.name.removeprefix("docs/") for page in pages() if page.name.startswith("docs/")]
    made = [f"reference/{name}.md" for name in ("cli", *(name.rpartition(".")[2] for name in generator.packages()))]
    assert sorted(listed(navigation)) == sorted([*written, *made])


def test_the_first_page_leads_to_every_page_written_by_hand() -> None:
    linked = set(re.findall(r"\]\(([\w-]+\.md)", Page("docs/index.md").text))
    assert linked == {page.file.name for page in pages() if page.file.parent == ROOT / "docs"} - {"index.md"}


def test_the_page_of_the_architecture_says_which_package_may_import_which() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    rows = re.findall(r"^\| `ftrl\.(\w+)` \|.*\| (.*) \|$", Page("docs/architecture.md").text, re.MULTILINE)
    for room, shown in rows:
        allowed = contracts[f"importlinter:contract:{room}"]["name"].partition("imports")[2]
        assert set(re.findall(r"\w+", shown)) == set(re.findall(r"\w+", allowed)) - {"nothing", "of", "ours", "and"}
    packages = {file.parent.name for file in (ROOT / "ftrl").glob("*/__init__.py")}
    assert {room for room, _ in rows} == packages - {"commands"}


# What is explained


def test_the_quickstart_page_explains_only_what_a_line_of_training_says() -> None:
    from ftrl.commands.train import step_line

    class Everything(dict[str, float]):
        def __contains__(self, key: object) -> bool:
            return True

        def __missing__(self, key: str) -> float:
            return 1.0

    said = set(re.findall(r"(?:: |, )([a-z][a-z -]+) 1\b", step_line(1, 2, Everything())))
    table = Page("docs/quickstart.md").text.partition("| word | means |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)) <= said


def test_the_quickstart_page_tells_how_many_tasks_there_are() -> None:
    from ftrl.quickstart.run import STEPS, TEST_TASKS, TRAIN_TASKS

    text = Page("docs/quickstart.md").text
    assert f"{TRAIN_TASKS} tasks to train on and {TEST_TASKS} held out" in text
    assert f"step 5/{STEPS}:" in text


# Quoted messages


@cache
def texts() -> list[str]:
    """Every text in the code, with … for what is filled in."""
    found = []
    for file in sorted([*(ROOT / "ftrl").rglob("*.py"), *(ROOT / "jobs").glob("*.py")]):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                pieces = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
                found.append("".join(map(str, pieces)))
    return found


def quoted() -> list[str]:
    rows = re.findall(r"^\| `{1,2}(.+?) ?`{1,2} \|.*\|.*\|$", Page("docs/errors.md").text, re.MULTILINE)
    assert len(rows) > 30
    return rows


@pytest.mark.parametrize("message", quoted())
def test_every_message_that_the_page_of_errors_quotes_is_still_one_of_ours(message: str) -> None:
    pattern = re.compile(".*".join(re.escape(piece) for piece in message.split("…")), re.DOTALL)
    assert any(pattern.search(text) for text in texts())


# Dependencies


def project() -> dict[str, Any]:
    read: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return read


def required() -> set[str]:
    """Every package that the project asks for, in any group."""
    table = project()
    groups = [table["project"]["dependencies"], *table["project"]["optional-dependencies"].values()]
    groups += table["dependency-groups"].values()
    return {canonicalize_name(Requirement(text).name) for group in groups for text in group}


def rows() -> dict[str, list[str]]:
    """The page's rows by package: why, what else, licence."""
    table = re.findall(r"^\| `([\w-]+)` \|(.+)\|$", Page("docs/dependencies.md").text, re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split(" | ")] for name, rest in table}


def test_every_dependency_has_one_row_that_says_why_what_else_and_under_which_licence() -> None:
    assert set(rows()) == required()
    assert all(len(cells) == 3 and all(cells) for cells in rows().values())


@pytest.mark.parametrize("package", sorted(required()))
def test_the_licence_of_a_dependency_is_the_one_that_it_says_itself(package: str) -> None:
    try:
        metadata = importlib.metadata.metadata(package)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed here")
    says = [metadata.get("License-Expression"), metadata.get("License"), *metadata.get_all("Classifier", [])]
    said = " ".join(text for text in says if text and not text.startswith("Programming")).replace("License ::", "")
    family = re.match(r"Apache|MIT|BSD|MPL|GPL", rows()[package][2])
    assert family is not None and family[0] in said


# The reference


def test_the_reference_has_every_command_with_every_option(reference: dict[str, str]) -> None:
    import typer

    from ftrl.cli import app

    def walk(command: Any, path: str) -> None:
        for name, child in getattr(command, "commands", {}).items():
            if not child.hidden:
                walk(child, f"{path} {name}")
        if not hasattr(command, "commands"):
            section = reference["cli"].partition(f" `{path}`\n")[2].partition("\n## ")[0]
            assert section, f"{path} is not in the reference"
            for parameter in command.params:
                if parameter.param_type_name == "option":
                    assert parameter.opts[0] in section, f"{path} {parameter.opts[0]} is not in the reference"

    walk(typer.main.get_command(app), "ftrl")


def test_the_examples_of_the_commands_are_set_as_code_and_nothing_else_is(reference: dict[str, str]) -> None:
    text = reference["cli"]
    assert "Example: `ftrl env import tasks.jsonl --out data/tasks --min-quality B`\n" in text
    assert "```console\n$ ftrl env import [OPTIONS] {file}\n```\n" in text
    assert "A server of your own: `ftrl rollout tasks.jsonl --model openai-api/local/NAME --base-url" in text


def test_every_public_name_of_every_package_is_explained(generator: ModuleType, reference: dict[str, str]) -> None:
    for name in generator.packages():
        package = importlib.import_module(name)
        page = reference[name.rpartition(".")[2]]
        for public in package.__all__:
            section = re.search(rf"^## {public}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
            assert section is not None, f"{name}.{public} is not in the reference"
            prose = re.sub(r"```.*?```", "", section[1], flags=re.DOTALL).strip()
            assert prose, f"{name}.{public} has no docstring"


def test_docstrings_become_markdown_in_which_nothing_is_html(generator: ModuleType) -> None:
    def example(count: int, *, names: list[str] | None = None) -> str:
        """Make ``<b>`` of <i>.

        Args:
            count: how many,
                in all.
            names: of them.

        Raises:
            ValueError: never.
        """
        raise NotImplementedError

    assert generator._signature("example", example) == "example(count: int, *, names: list[str] | None = None) -> str"
    assert generator._text(inspect.getdoc(example)) == (
        "Make ``<b>`` of &lt;i>.\n\n\n**Args**\n\n- `count`: how many,\n    in all.\n- `names`: of them.\n\n\n"
        "**Raises**\n\n- `ValueError`: never."
    )


# The site


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_its_pages_ask_no_server_for_anything(
    reference: dict[str, str], tmp_path: Path
) -> None:
    zensical = shutil.which("zensical", path=str(Path(sys.executable).parent)) or shutil.which("zensical")
    if zensical is None:
        pytest.skip("zensical is not installed here; make docs installs it")
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    for name, text in reference.items():
        (tmp_path / "docs" / "reference" / f"{name}.md").write_text(text)
    done = subprocess.run(
        [zensical, "build", "--clean", "--strict"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    built = sorted((tmp_path / "build" / "site").rglob("*.html"))
    assert len(built) > len(pages())
    for file in built:
        loaded = re.findall(r"<(?:script|img|link|iframe)[^>]+(?:src|href)=\"(https?://[^\"]+)", file.read_text())
        assert not loaded, f"{file.name} asks {loaded}"
