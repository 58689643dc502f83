"""Two minutes of what `chaos.py` does for half an hour."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(5400)]

SCRIPT = Path(__file__).with_name("chaos.py")


def test_a_job_that_is_disturbed_leaves_the_stores_of_one_that_is_not() -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed, without which no head can be replaced")
    if subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], check=False).returncode:
        pytest.skip("namespaces cannot be made here")
    command = [sys.executable, str(SCRIPT), "--seed", "1", "--minutes", "2", "--played", "20", "--samples", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout.splitlines()
    assert told[-1].endswith("all as undisturbed")
    (disturbed,) = [line for line in told if "disturbances: " in line]
    assert sum(int(kind.split()[-1]) for kind in disturbed.partition("disturbances: ")[2].split(", ")) > 0
