"""The layers of the jail: all of them where the kernel grants them, and what remains where it does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftrl.errors import InputError
from ftrl.sandbox import Call, Isolation, LayerReport, Sandbox, isolation_report, level_of

HERE = Path(__file__).parent
NAMESPACES = (
    "PID namespace",
    "mount namespace",
    "network namespace",
    "IPC namespace",
    "host name namespace",
    "cgroup namespace",
)

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="refuses system calls of Linux")


def on_a_kernel_that_refuses(calls: str) -> dict[str, Any]:
    program = [str(HERE / "refusing_kernel.py"), calls, str(HERE / "program_in_a_sandbox.py")]
    done = subprocess.run([sys.executable, *program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_every_layer_is_named_once_and_a_missing_one_says_why() -> None:
    report = isolation_report()
    assert len({layer.name for layer in report}) == len(report)
    for layer in report:
        assert layer.active == (layer.why_not is None)
    assert {"kill at the time limit", "empty environment", "limits"} <= {layer.name for layer in report if layer.active}


def test_a_tool_sees_no_host_in_its_own_root_folder(sandbox: Sandbox) -> None:
    if not {layer.name: layer.active for layer in isolation_report()}.get("own root folder"):
        pytest.skip("this machine grants no root folder of its own")
    source = """
def f():
    import os
    here = [path for path in ('/etc', '/home', '/proc', '/sys', '/var', '/dev/sda', '/bin') if os.path.exists(path)]
    try:
        open(os.__file__, 'a')
    except OSError as error:
        return [here, os.getcwd(), error.strerror, os.uname().nodename]
"""
    (result,) = sandbox.run([Call("f", "{}", source)])
    assert json.loads(result.output)[:2] == [[], "/scratch"]
    assert json.loads(result.output)[3] == "sandbox"


def test_installed_packages_are_out_of_sight_but_for_the_named_ones(sandbox: Sandbox) -> None:
    source = "def f(name):\n    return str(bool(__import__(name)))"
    calls = [Call("f", json.dumps({"name": name}), source) for name in ("dateutil.parser", "pydantic", "ftrl")]
    allowed, *others = [result.output for result in sandbox.run(calls)]
    assert allowed == "True"
    assert others == [f"an error occured when call f: No module named '{name}'" for name in ("pydantic", "ftrl")]
    with Sandbox(workers=1, legacy_namespace=False) as bare:
        assert bare.run(calls)[0].output == "an error occured when call f: No module named 'dateutil'"


@needs_linux
def test_where_namespaces_are_refused_the_other_layers_still_hold() -> None:
    seen = on_a_kernel_that_refuses("unshare")
    assert not any(seen["layers"][name] for name in NAMESPACES)
    assert "Operation not permitted" in seen["reasons"]["PID namespace"]
    assert seen["layers"]["Landlock"]
    assert seen["layers"]["system call filter"]
    results = seen["results"]
    assert results["honest"] == ["ok", '{"year": 2020}']
    assert results["threads"] == ["ok", "joined"]
    assert results["endless"][0] == "timeout"
    assert results["greedy"][0] == "memory"
    assert results["environment"] == ["ok", '{"TZ": "UTC"}']
    for refused in ("writer", "reader", "starter", "killer"):
        assert results[refused][0] == "tool_error"
    assert seen["again"] == '{"year": 2020}'


@needs_linux
def test_where_mounts_are_refused_the_host_is_still_out_of_reach() -> None:
    seen = on_a_kernel_that_refuses("mount")
    assert seen["layers"]["PID namespace"]
    assert "own root folder" in seen["reasons"]
    assert seen["results"]["honest"][0] == "ok"
    assert seen["results"]["writer"][0] == "tool_error"
    assert seen["results"]["reader"][0] == "tool_error"
    assert seen["again"] == '{"year": 2020}'


@needs_linux
def test_an_old_kernel_without_landlock_is_told_and_works() -> None:
    seen = on_a_kernel_that_refuses("landlock_create_ruleset")
    assert not seen["layers"]["Landlock"]
    assert seen["results"]["honest"][0] == "ok"
    if seen["layers"]["own root folder"]:
        assert seen["results"]["reader"][0] == "tool_error"


@needs_linux
def test_with_limits_and_kill_alone_tools_run_and_are_ended() -> None:
    """What is left on macOS; missing layers are named, and the files of the host are not protected from reading."""
    seen = on_a_kernel_that_refuses("unshare mount landlock_create_ruleset seccomp")
    missing = set(seen["reasons"])
    assert {*NAMESPACES, "Landlock", "system call filter"} <= missing
    results = seen["results"]
    assert results["honest"] == ["ok", '{"year": 2020}']
    assert results["endless"][0] == "timeout"
    assert results["greedy"][0] == "memory"
    assert results["environment"] == ["ok", '{"TZ": "UTC"}']
    assert results["writer"][0] == "tool_error"
    assert seen["again"] == '{"year": 2020}'


@needs_linux
def test_a_level_that_this_machine_has_not_is_refused_by_naming_what_is_missing() -> None:
    program = [str(HERE / "refusing_kernel.py"), "unshare", str(HERE / "program_in_a_sandbox.py")]
    environment = {**os.environ, "FTRL_REQUIRE_ISOLATION": "full"}
    done = subprocess.run(
        [sys.executable, *program], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert "FtrlError: this machine does not isolate tools to the level 'full'; missing: " in done.stderr
    assert "PID namespace (unshare: Operation not permitted)" in done.stderr
    environment["FTRL_REQUIRE_ISOLATION"] = "process"
    done = subprocess.run(
        [sys.executable, *program], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert done.returncode == 0
    assert done.stderr.count("tools run without these layers of isolation: ") == 1


def test_a_level_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTRL_REQUIRE_ISOLATION", "total")
    with pytest.raises(InputError, match="'total'; choose process, kernel, full"):
        Sandbox()


def test_levels_build_on_each_other() -> None:
    layers = [LayerReport(name, True, None) for name in ("kill at the time limit", "empty environment", "limits")]
    assert level_of([]) is None
    assert level_of(layers) is Isolation.PROCESS
    layers += [
        LayerReport(name, True, None)
        for name in ("no new privileges", "no capabilities", "system call filter", "Landlock")
    ]
    assert level_of(layers) is Isolation.KERNEL
    assert level_of(layers[1:]) is None
