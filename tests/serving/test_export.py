"""``ftrl env export --format verifiers|openenv``.

What a stack makes of its package is tested where that stack is installed; the packages pin versions of mcp that no
single environment holds, so mostly it is not. What needs no stack is tested everywhere.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from typer.testing import CliRunner

from ftrl import __version__
from ftrl.cli import app
from ftrl.environments import open_tasks
from ftrl.errors import InputError
from ftrl.serving import FORMATS, export_package

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Export = Callable[..., Path]


@pytest.fixture
def export(store: str, tmp_path: Path) -> Export:
    """A function that exports the store, and tells the folder."""

    def run(form: str, name: str = "my-tasks") -> Path:
        export_package(store, str(tmp_path / name), form)
        return tmp_path / name

    return run


@pytest.fixture
def importing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path, str], Any]]:
    """A function that imports a module of an exported package; it is forgotten at the end."""

    def run(folder: Path, module: str) -> Any:
        monkeypatch.syspath_prepend(str(folder))
        return importlib.import_module(module)

    yield run
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_tasks"]:
        del sys.modules[name]


@pytest.mark.parametrize("form", FORMATS)
def test_a_package_holds_the_tasks_and_asks_for_ftrl_and_the_stack(export: Export, store: str, form: str) -> None:
    folder = export(form)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "my-tasks"
    asked = {requirement.name: requirement for requirement in map(Requirement, project["dependencies"])}
    assert set(asked) == {"ftrl", form}
    assert asked["ftrl"].specifier.contains(__version__)
    packed = open_tasks(str(folder / "my_tasks" / "tasks"))
    original = open_tasks(store)
    assert list(packed) == list(original)
    for environment in packed:
        assert packed.sources(environment) == original.sources(environment)


@pytest.mark.parametrize("form", FORMATS)
def test_every_text_of_a_package_is_filled_in_and_every_module_is_python(export: Export, form: str) -> None:
    folder = export(form)
    texts = [file for file in folder.rglob("*") if file.is_file() and file.suffix in (".py", ".md", ".toml", ".yaml")]
    assert {file.name for file in texts} >= {"pyproject.toml", "README.md", "__init__.py"}
    for file in texts:
        text = file.read_text()
        assert "$" not in text, file
        if file.suffix == ".py":
            tree = ast.parse(text)
            imported = {
                node.module.partition(".")[0]
                for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom) and node.module is not None
            }
            # What the tools do and what they are worth stays in ftrl.
            assert imported <= {"ftrl", "my_tasks", form, "mcp", *sys.stdlib_module_names}
    assert "`train` (2)" in (folder / "README.md").read_text()


def test_the_manifest_of_an_openenv_package_tells_the_splits(export: Export) -> None:
    manifest = yaml.safe_load((export("openenv") / "openenv.yaml").read_text())
    assert manifest["app"] == "my_tasks.server.app:app"
    assert manifest["validation"]["capabilities"]["declared_task_count"] == {"train": 2, "test": 1}


def test_the_command_exports_a_package_named_after_its_folder_or_as_told(store: str, tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["env", "export", store, "--out", str(tmp_path / "a"), "--format", "openenv"])
    assert (told.exit_code, told.stdout) == (0, f"3 tasks exported to {tmp_path / 'a'}\n")
    assert (tmp_path / "a" / "a" / "tasks").is_dir()
    export_package(store, str(tmp_path / "b"), "verifiers", name="Quiz-2")
    assert (tmp_path / "b" / "quiz_2" / "taskset.py").is_file()


def test_what_cannot_be_exported_is_told_and_nothing_is_left_behind(store: str, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    for out, form, more, message in (
        ("new", "gym", {}, "no format 'gym'; choose published, verifiers, openenv"),
        ("full", "openenv", {}, "something at this path"),
        ("2fast", "openenv", {}, "cannot be the name of a package"),
        ("new", "openenv", {"name": "json"}, "cannot be the name of a package"),
        ("new", "verifiers", {"name": "verifiers"}, "cannot be the name of a package"),
    ):
        with pytest.raises(InputError, match=message):
            export_package(store, str(tmp_path / out), form, **more)
    with pytest.raises(InputError, match="a folder on this machine"):
        export_package(store, "s3://bucket/new", "openenv")
    with pytest.raises(InputError):
        export_package(str(tmp_path / "nothing"), str(tmp_path / "new"), "openenv")
    assert [file.name for file in tmp_path.rglob("*")] == ["full", "thesis.txt"]


def test_an_export_that_is_interrupted_leaves_nothing_behind(store: str, tmp_path: Path) -> None:
    def interrupt(done: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_package(store, str(tmp_path / "new"), "openenv", on_progress=interrupt)
    assert not list(tmp_path.iterdir())


# With the stacks themselves


def test_openenv_pays_a_perfect_agent_one_and_a_silent_one_nothing(
    export: Export, importing: Callable[[Path, str], Any], task: SimpleNamespace
) -> None:
    types = pytest.importorskip("openenv.core.env_server.mcp_types", reason="openenv is not installed")
    module = importing(export("openenv"), "my_tasks.server.environment")
    environment = module.FtrlEnvironment()
    first = environment.reset(split="train", index=0)
    assert first.question == task.question
    assert {tool.name for tool in first.available_tools} == set(task.sources)
    assert task.answer not in first.model_dump_json() + environment.state.model_dump_json()
    rewards = []
    for step in task.trace:
        seen = environment.step(types.CallToolAction(tool_name=step.tool, arguments=step.arguments))
        rewards.append(seen.reward)
    assert sum(rewards) == pytest.approx(1.0)
    assert seen.done
    with pytest.raises(RuntimeError, match="done"):
        environment.step(types.CallToolAction(tool_name="hang", arguments={}))
    environment.reset(split="train", index=0)
    useless = environment.step(types.CallToolAction(tool_name="capital_of", arguments={"land": "Mu"}))
    assert (useless.reward, useless.done, useless.metadata) == (0.0, False, {"status": "tool_error"})
    assert environment.list_splits() == ["train", "test"]
    assert environment.reset(seed=5).task_id == environment.reset(seed=5).task_id
    module.PLAYGROUND.sandbox().close()


def test_verifiers_pays_a_perfect_agent_one_and_a_silent_one_nothing(
    export: Export, importing: Callable[[Path, str], Any], task: SimpleNamespace
) -> None:
    vf = pytest.importorskip("verifiers.v1", reason="verifiers is not installed")
    from verifiers.v1.trace import AgentInfo, MessageNode

    module = importing(export("verifiers"), "my_tasks.taskset")
    taskset = module.FtrlTaskset(module.FtrlConfig(split="train"))
    tasks = list(taskset)
    assert [one.key for one in tasks] == [one.data.environment for one in tasks]
    (first, _) = tasks
    assert first.data.prompt == task.question
    assert task.answer not in first.data.model_dump_json()
    assert asyncio.run(first.validate(None)) is True

    def scored(*turns: list[Any]) -> Any:
        trace = vf.Trace(
            task=vf.TraceTask(type="FtrlTask", data=first.data), agent=AgentInfo.model_construct(), state={}
        )
        trace.nodes = [
            MessageNode.model_construct(
                sampled=True,
                message=vf.AssistantMessage(
                    tool_calls=[
                        vf.ToolCall(id=str(n), name=name, arguments=text) for n, (name, text) in enumerate(turn)
                    ]
                ),
            )
            for turn in turns
        ]
        asyncio.run(first.score(trace))
        return trace

    golden = [[(step.tool, json.dumps(step.arguments))] for step in task.trace]
    perfect = scored(*golden, [])
    assert perfect.reward == 1.0
    assert (perfect.metrics["calls"], perfect.metrics["reference_f1"]) == (2.0, 1.0)
    assert scored([]).reward == 0.0
    assert 0.0 < scored(golden[0]).reward < 1.0
    importlib.import_module("my_tasks.tools").PLAYGROUND.sandbox().close()
