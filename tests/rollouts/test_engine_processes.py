"""Cleaning up behind engines, whose processes do not notice that their owner is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ftrl.rollouts.engine_processes import descendants, last_error, sweeping_segments

# Like an engine: a process that outlives its owner, with shared memory that nobody unlinks.
ENGINE = """
import time
from multiprocessing import resource_tracker, shared_memory
segment = shared_memory.SharedMemory(create=True, size=64)
resource_tracker.unregister(segment._name, "shared_memory")
print(segment.name, flush=True)
time.sleep(300)
"""

OWNER = f"""
import subprocess, sys, time
from ftrl.rollouts.engine_processes import Guard
guard = Guard()
with guard.watching():
    engine = subprocess.Popen(
        [sys.executable, "-c", {ENGINE!r}], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    name = engine.stdout.readline().strip()
    if "starting" in sys.argv:
        time.sleep(2)
        print(engine.pid, name, flush=True)
        time.sleep(300)
print(engine.pid, name, flush=True)
if "release" in sys.argv:
    guard.release()
    print("released", flush=True)
time.sleep(300)
"""


def start_owner(*arguments: str) -> tuple[subprocess.Popen[str], int, Path]:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, *arguments], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid, name = owner.stdout.readline().split()
    return owner, int(pid), Path("/dev/shm") / name


def ends(pid: int, segment: Path, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        state = Path(f"/proc/{pid}/stat")
        gone = not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z"
        if gone and not segment.exists():
            return True
        time.sleep(0.1)
    return False


def test_an_engine_does_not_outlive_its_killed_owner() -> None:
    owner, pid, segment = start_owner()
    assert segment.exists()
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert ends(pid, segment)


def test_the_guard_is_not_among_its_owners_children_whom_ray_kills() -> None:
    owner, pid, segment = start_owner()
    assert set(descendants(owner.pid)) == {pid, *descendants(pid)}
    os.kill(pid, signal.SIGKILL)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert ends(pid, segment)


def test_nor_an_owner_that_is_killed_while_it_starts() -> None:
    owner, pid, segment = start_owner("starting")
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert ends(pid, segment)


def test_released_means_cleaned_up() -> None:
    owner, pid, segment = start_owner("release")
    assert owner.stdout is not None
    assert owner.stdout.readline() == "released\n"
    assert ends(pid, segment, seconds=1)
    owner.kill()
    owner.wait()


def test_descendants_are_found_at_any_depth() -> None:
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    assert len(descendants(process.pid)) == 1
    assert process.pid in descendants(os.getpid())
    process.communicate(b"\n")


def test_the_cause_is_found_in_an_engines_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "(EngineCore pid=1) ERROR 11-21 ValueError: To serve at least one request, 8 GiB are needed\n"
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}\n"
    )
    assert last_error(log) == "ValueError: To serve at least one request, 8 GiB are needed"
    assert last_error(tmp_path / "none") is None


def test_segments_of_engines_that_are_gone_are_swept_and_those_in_use_are_kept() -> None:
    running = subprocess.Popen([sys.executable, "-c", ENGINE], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    before = Path("/dev/shm") / running.stdout.readline().strip()
    try:
        with sweeping_segments(seconds=0.5):
            gone = subprocess.Popen([sys.executable, "-c", ENGINE], stdout=subprocess.PIPE, text=True)
            used = subprocess.Popen([sys.executable, "-c", ENGINE], stdout=subprocess.PIPE, text=True)
            assert gone.stdout is not None and used.stdout is not None
            left, kept = (Path("/dev/shm") / engine.stdout.readline().strip() for engine in (gone, used))
            gone.kill()
            gone.wait()
        assert not left.exists()
        assert kept.exists()
        assert before.exists()
    finally:
        for engine in (running, used):
            engine.kill()
            engine.wait()
        for segment in (before, kept):
            segment.unlink(missing_ok=True)
