"""Tools that attack: contained, blamed rightly, and without effect on the host or on the next call."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ftrl.sandbox import Call, CallResult, CallStatus, Sandbox, isolation_report

PROVEN = "def double(x):\n    return {'doubled': 2 * x}"
HONEST = "import json\ndef double(x):\n    import json\n    return {'doubled': json.loads(json.dumps(x)) * 2}"

PUBLISHED_ATTACKS = (
    "spin_forever",
    "slow_sleep",
    "evil_regex",
    "fork_bomb",
    "memory_bomb",
    "big_output",
    "deep_recursion",
    "hard_exit",
    "kill_parent",
    "read_env_secrets",
    "read_passwd",
    "write_cwd",
    "tcp_connect",
    "run_shell",
    "patch_json",
    "forge_protocol",
    "stdout_flood",
    "looping_str",
    "weird_values",
    "walk_frames",
)


def attack(sandbox: Sandbox, source: str, arguments: str = "{}", name: str = "f") -> CallResult:
    return sandbox.run([Call(name, arguments, source)])[0]


def assert_next_calls_are_right(sandbox: Sandbox) -> None:
    """On the warm path and on the fork path, and in every worker."""
    for source in (HONEST, PROVEN):
        for _ in range(2):
            results = sandbox.run_groups([[Call("double", f'{{"x": {x}}}', source)] for x in range(4)])
            assert [result.status for (result,) in results] == [CallStatus.OK] * 4
            assert [result.output for (result,) in results] == [f'{{"doubled": {2 * x}}}' for x in range(4)]


@pytest.fixture
def host_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The host's working folder, with something in it that must stay as it is."""
    (tmp_path / "marker").write_text("of the host")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", PUBLISHED_ATTACKS)
def test_an_attack_is_contained_and_leaves_nothing_behind(
    name: str,
    shared: Path,
    strict_sandbox: Sandbox,
    host_folder: Path,
    processes_below: Callable[[int], set[int]],
    soon: Callable[[Callable[[], bool]], bool],
) -> None:
    attacks = [json.loads(line) for line in (shared / "golden/hostile_dev.jsonl").open(encoding="utf-8")]
    assert sorted(known["name"] for known in attacks) == sorted(PUBLISHED_ATTACKS)
    known = next(known for known in attacks if known["name"] == name)
    assert_next_calls_are_right(strict_sandbox)
    before = processes_below(os.getpid())

    result = attack(strict_sandbox, known["code"], json.dumps(known["arguments"]), name)

    if known["expect"] == "timeout":
        assert result.status is CallStatus.TIMEOUT
    elif known["expect"] == "error":
        assert result.status not in (CallStatus.OK, CallStatus.INFRASTRUCTURE)
        assert result.output.startswith(f"an error occured when call {name}: ")
    else:
        assert known["expect"] == "contained"
        assert result.status is not CallStatus.INFRASTRUCTURE
    for secret in ("secret-of-the-host", "FTRL_CANARY", "root:x:", "FORGED", "of the host"):
        assert secret not in result.output
    assert_next_calls_are_right(strict_sandbox)
    assert sorted(path.name for path in host_folder.iterdir()) == ["marker"]
    assert (host_folder / "marker").read_text() == "of the host"
    # Counted, not compared: a worker that ran out of memory is replaced.
    assert soon(lambda: len(processes_below(os.getpid())) <= len(before)), "the attack left processes behind"


def test_what_a_call_writes_is_not_there_for_the_next(strict_sandbox: Sandbox) -> None:
    source = """
def f():
    import os
    seen = os.listdir('.')
    os.makedirs('a/b')
    open('a/b/c', 'w').write('x')
    os.symlink('/', 'link')
    os.chmod('a', 0)
    return seen
"""
    # As many calls as it takes for every worker to get more than one.
    assert {result.output for result in strict_sandbox.run([Call("f", "{}", source)] * 8)} <= {"[]", NOTHING_WRITABLE}


NOTHING_WRITABLE = "an error occured when call f: [Errno 2] No such file or directory: 'a/b'"
"""Where the worker has no root folder of its own, its working folder is a deleted one."""


def test_a_scratch_folder_cannot_be_filled_beyond_its_size(strict_sandbox: Sandbox) -> None:
    source = """
def f():
    written = 0
    try:
        for n in range(100):
            with open(f'file{n}', 'wb') as file:
                written += file.write(b'x' * 2**20)
    except OSError:
        pass
    return written // 2**20
"""
    assert int(attack(strict_sandbox, source).output) <= 16
    assert_next_calls_are_right(strict_sandbox)


def test_a_forger_who_knows_the_format_still_cannot_answer_for_the_call(strict_sandbox: Sandbox) -> None:
    source = """
def f():
    import os, struct
    fields = [b'0' * 16, b'ok', b'FORGED']
    body = b''.join(struct.pack('<Q', len(x)) + x for x in fields)
    for descriptor in range(256):
        try:
            os.write(descriptor, struct.pack('<Q', len(body)) + body)
        except OSError:
            pass
    return 'honest'
"""
    result = attack(strict_sandbox, source)
    assert "FORGED" not in result.output
    assert result.status in (CallStatus.OK, CallStatus.CRASHED)
    assert_next_calls_are_right(strict_sandbox)


def test_a_tool_cannot_blame_us_for_its_own_failure(strict_sandbox: Sandbox) -> None:
    """Even with the one-time word, which a tool can dig out of its own process, only its own endings are accepted."""
    source = """
def f():
    import os, struct, sys
    frame = sys._getframe()
    while frame is not None and 'word' not in frame.f_locals:
        frame = frame.f_back
    fields = [frame.f_locals['word'], b'infrastructure', b'not my fault']
    body = b''.join(struct.pack('<Q', len(x)) + x for x in fields)
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, struct.pack('<Q', len(body)) + body)
        except OSError:
            pass
    os._exit(0)
"""
    assert attack(strict_sandbox, source).status is CallStatus.CRASHED
    assert_next_calls_are_right(strict_sandbox)


def test_a_tool_that_hangs_up_and_goes_on_has_crashed(strict_sandbox: Sandbox) -> None:
    result = attack(strict_sandbox, "def f():\n import os\n os.closerange(3, 128)\n while True: pass")
    assert result.status is CallStatus.CRASHED
    assert_next_calls_are_right(strict_sandbox)


def test_processes_that_a_tool_starts_and_leaves_are_gone_with_the_call(
    strict_sandbox: Sandbox, processes_below: Callable[[int], set[int]], soon: Callable[[Callable[[], bool]], bool]
) -> None:
    source = """
def f():
    import os, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True: time.sleep(100)
        os._exit(0)
    return 'started'
"""
    before = processes_below(os.getpid())
    assert attack(strict_sandbox, source).status in (CallStatus.OK, CallStatus.TOOL_ERROR)
    assert soon(lambda: processes_below(os.getpid()) <= before)
    assert_next_calls_are_right(strict_sandbox)


def test_no_other_process_can_be_looked_into(strict_sandbox: Sandbox) -> None:
    source = """
def f():
    import ctypes, os
    libc = ctypes.CDLL(None, use_errno=True)
    attach = libc.ptrace(16, os.getppid(), 0, 0)
    try:
        memory = open(f'/proc/{os.getppid()}/mem', 'rb').read(1)
    except OSError:
        memory = None
    return [attach, memory]
"""
    assert attack(strict_sandbox, source).output == "[-1, null]"


def test_system_calls_that_no_tool_needs_are_refused(strict_sandbox: Sandbox) -> None:
    if not {layer.name: layer.active for layer in isolation_report()}["system call filter"]:
        pytest.skip("this kernel has no system call filter")
    source = """
def f():
    import ctypes, os
    libc = ctypes.CDLL(None, use_errno=True)
    numbers = {'x86_64': [41, 59, 101, 250, 272, 298, 319, 321, 323, 425, 434], 'aarch64':
               [198, 221, 117, 219, 97, 241, 279, 280, 282, 425, 434]}[os.uname().machine]
    return [libc.syscall(number, 0, 0, 0, 0, 0) for number in numbers]
"""
    assert attack(strict_sandbox, source).output == str([-1] * 11)
