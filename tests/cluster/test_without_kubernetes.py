"""Clusters without Kubernetes: what the local script and the ``ray up`` file say to Ray."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

CLUSTER = Path(__file__).resolve().parents[2] / "cluster"


def options_of_ray_start() -> set[str]:
    from ray.scripts.scripts import start

    return {option for parameter in start.params for option in parameter.opts}


@pytest.mark.parametrize("file", ["local.sh", "ray-up.yaml"])
def test_every_option_of_ray_start_exists(file: str) -> None:
    text = re.sub(r"^\s*#.*$", "", (CLUSTER / file).read_text(), flags=re.MULTILINE)
    used = set(re.findall(r"(--[a-z][a-z-]+)", text))
    assert len(used) > 5
    assert used <= options_of_ray_start()


def test_ray_takes_the_file_for_ray_up() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load((CLUSTER / "ray-up.yaml").read_text())
    validate_config(prepare_config(config))
    starts = [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]
    assert all("RAY_AUTH_MODE=token" in start for start in starts if " start " in start)


def script(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FTRL_CLUSTER_DIR": str(folder), "FTRL_CLUSTER_PORT": "7600"}
    return subprocess.run(
        [str(CLUSTER / "local.sh"), *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_the_script_without_a_command_tells_what_it_knows(tmp_path: Path) -> None:
    done = script(tmp_path)
    assert done.returncode == 2
    assert "cluster/local.sh start" in done.stderr
    assert "FTRL_CLUSTER_PORT" in done.stderr
    assert "set -euo" not in done.stderr


def test_the_settings_lead_to_the_scripts_own_ports_and_token(tmp_path: Path) -> None:
    lines = script(tmp_path, "env").stdout.split("\n")
    assert "export RAY_ADDRESS=127.0.0.1:7600" in lines
    assert "export RAY_API_SERVER_ADDRESS=http://127.0.0.1:7601" in lines
    assert f"export RAY_AUTH_TOKEN_PATH={tmp_path}/token" in lines


def test_a_process_that_only_has_the_number_of_a_node_of_ours_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (tmp_path / "head.pid").write_text(f"{stranger.pid}\n")
        assert "head  does not run" in script(tmp_path, "status").stdout
        assert script(tmp_path, "stop").returncode == 0
        assert stranger.poll() is None
        stranger.kill()
