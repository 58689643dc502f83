"""Tools that attack, one by one, all at once, and beside thousands of honest calls; and workers that are killed."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from ftrl.sandbox import Call, CallResult, CallStatus, Limits, Sandbox, isolation_report

PROVEN = "def double(x):\n    return {'doubled': 2 * x}"
UNPROVEN = "import time\ndef double(x):\n    import time\n    time.sleep(0)\n    return {'doubled': 2 * x}"
WILD = "import os\ndef double(x):\n    import os\n    os.getpid()\n    return {'doubled': 2 * x}"


def load_attacks() -> ModuleType:
    import importlib.util

    spec = importlib.util.spec_from_file_location("attacks", Path(__file__).with_name("attacks.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ATTACKS = load_attacks().ATTACKS


@pytest.fixture(scope="module", autouse=True)
def confined() -> None:
    if not {layer.name: layer.active for layer in isolation_report()}["own root folder"]:
        pytest.skip("these attacks expect all layers; test_isolation.py looks at what holds without")


@pytest.fixture(scope="module")
def arena() -> Iterator[Sandbox]:
    """A sandbox that loses its patience soon, and afterwards has left nothing behind."""
    before = descriptors(), shared_memory()
    with Sandbox(workers=2, limits=Limits(seconds=1.5, memory_bytes=256 * 2**20), cache_bytes=0) as sandbox:
        assert_honest_calls_are_right(sandbox)
        yield sandbox
    assert (descriptors(), shared_memory()) == before


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def shared_memory() -> list[str]:
    """What users other than ours and root have left there: workers run as a user of their own."""
    places = Path("/dev/shm").iterdir() if Path("/dev/shm").is_dir() else ()
    return sorted(place.name for place in places if place.lstat().st_uid not in (0, os.getuid()))


def honest(number: int, source: str = PROVEN) -> Call:
    return Call("double", f'{{"x": {number}}}', source)


def is_right(number: int, result: CallResult) -> bool:
    return result.status is CallStatus.OK and result.output == f'{{"doubled": {2 * number}}}'


def assert_honest_calls_are_right(sandbox: Sandbox) -> None:
    groups = [[honest(n, source)] for source in (PROVEN, UNPROVEN, WILD) for n in range(3)]
    for number, (result,) in enumerate(sandbox.run_groups(groups)):
        assert is_right(number % 3, result), result


def assert_contained(name: str, result: CallResult) -> None:
    attack = ATTACKS[name]
    assert result.status in attack.ends, (name, result.status, result.output[:300])
    assert "FORGED" not in result.output, name
    if attack.says is not None and result.status is CallStatus.OK:
        assert result.output == attack.says, name


def test_there_are_more_than_forty_attacks() -> None:
    assert len(ATTACKS) > 40


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_contained_and_blamed_and_nothing_of_it_is_left(
    name: str,
    arena: Sandbox,
    processes_below: Callable[[int], set[int]],
    soon: Callable[[Callable[[], bool]], bool],
) -> None:
    before = len(processes_below(os.getpid()))
    assert_contained(name, arena.run([ATTACKS[name].call])[0])
    assert_honest_calls_are_right(arena)
    seen = arena.run([Call("f", "{}", "def f():\n    import os\n    return os.listdir('/scratch')")])[0]
    assert seen.output == "[]"
    assert soon(lambda: len(processes_below(os.getpid())) <= before), "processes are left behind"


def under_load(attack_rounds: int, honest_calls: int, forked_share: float) -> None:
    """All attacks, while threads make honest calls of which none may be lost or wrong."""
    wrong: list[tuple[int, CallResult]] = []
    answered = [0] * 4
    chance = random.Random(5)

    def make_honest_calls(sandbox: Sandbox, thread: int) -> None:
        share = honest_calls // len(answered)
        sources = [UNPROVEN if chance.random() < forked_share else PROVEN for _ in range(share)]
        calls = [honest(n, source) for n, source in enumerate(sources)]
        for start in range(0, share, 50):
            for number, result in enumerate(sandbox.run(calls[start : start + 50]), start=start):
                answered[thread] += 1
                if not is_right(number, result):
                    wrong.append((number, result))

    with Sandbox(workers=2, limits=Limits(seconds=1.5, memory_bytes=256 * 2**20), cache_bytes=0) as sandbox:
        threads = [threading.Thread(target=make_honest_calls, args=(sandbox, n)) for n in range(len(answered))]
        for thread in threads:
            thread.start()
        for _ in range(attack_rounds):
            names = sorted(ATTACKS)
            chance.shuffle(names)
            for name, (result,) in zip(names, sandbox.run_groups([[ATTACKS[n].call] for n in names]), strict=True):
                assert result.status is not CallStatus.INFRASTRUCTURE, name
                assert "FORGED" not in result.output, name
                if result.status is not CallStatus.TIMEOUT:  # anything may take too long on a busy machine
                    assert_contained(name, result)
        for thread in threads:
            thread.join()
        assert wrong == []
        assert sum(answered) == honest_calls // len(answered) * len(answered)
        assert_honest_calls_are_right(sandbox)


def test_ten_thousand_honest_calls_beside_all_attacks_are_all_answered_and_right() -> None:
    under_load(attack_rounds=1, honest_calls=10_000, forked_share=0.02)


@pytest.mark.slow
def test_a_hundred_thousand_honest_calls_beside_many_attacks_are_all_answered_and_right() -> None:
    under_load(attack_rounds=5, honest_calls=100_000, forked_share=0.05)


def test_a_call_beside_one_that_signals_its_descriptors_owner_goes_on(arena: Sandbox) -> None:
    """Calls run side by side as one user: a signal that the kernel sends for one must not reach another."""
    victim = Call("f", "{}", "def f():\n    import time\n    time.sleep(0.6)\n    return 'lived'")
    killer = """
def f():
    import fcntl, os, socket, struct
    for pid in range(1, 200):
        if pid == os.getpid(): continue
        for command in (8, 15):
            try:
                a, b = socket.socketpair()
                fcntl.fcntl(a, 10, 9)
                fcntl.fcntl(a, command, pid if command == 8 else struct.pack('ii', 1, pid))
                fcntl.fcntl(a, 4, fcntl.fcntl(a, 3) | 0o20000)
                b.send(b'x')
            except OSError: pass
    return 'tried'
"""
    results = arena.run_groups([[victim]] * 4 + [[Call("f", "{}", killer)]] * 4)
    assert [result.output for (result,) in results] == ["lived"] * 4 + ["tried"] * 4


def test_a_call_with_all_the_threads_it_can_get_keeps_no_other_from_starting() -> None:
    source = """
def f():
    import _thread, threading, time
    threading.stack_size(65536)
    try:
        while True: _thread.start_new_thread(time.sleep, (99,))
    except RuntimeError: time.sleep(99)
"""
    with Sandbox(workers=1, limits=Limits(seconds=4), cache_bytes=0) as sandbox:
        ended: list[CallStatus] = []
        bomb = threading.Thread(target=lambda: ended.append(sandbox.run([Call("f", "{}", source)])[0].status))
        bomb.start()
        time.sleep(0.5)
        results = sandbox.run_groups([[honest(n, UNPROVEN)] for n in range(20)])
        assert ended == []  # none of them had to wait for its end
        assert all(is_right(n, result) for n, (result,) in enumerate(results))
        bomb.join()
        assert ended == [CallStatus.TIMEOUT]


def test_a_call_does_not_see_the_files_of_one_beside_it(arena: Sandbox) -> None:
    """Not being wild, it runs beside one that has the scratch folder."""
    writer = """
def f():
    import os, time
    open('note', 'w').write('of the writer')
    time.sleep(0.7)
    return open('note').read()
"""
    reader = """
def f():
    import codecs, time
    time.sleep(0.3)
    for path in ('note', '/scratch/note'):
        try: return codecs.open(path).read()
        except OSError: pass
    return 'nothing'
"""
    results = arena.run_groups([[Call("f", "{}", source)] for source in (writer, reader, reader, reader, writer)])
    outputs = [result.output for (result,) in results]
    assert outputs == ["of the writer", "nothing", "nothing", "nothing", "of the writer"]


def test_a_call_finds_nothing_of_others_in_its_memory() -> None:
    """Sources, arguments and outputs pass through the process that it is a copy of."""
    spy = """
def f():
    import ctypes, gc, os, sys
    needle = bytes(c + 1 for c in b'RDBQDS,NE,@MNSGDQ')
    r, w = os.pipe()
    os.set_blocking(w, False)
    libc = ctypes.CDLL(None)
    libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
    libc.sbrk.restype = ctypes.c_void_p
    here, top = id(needle) >> 12 << 12, libc.sbrk(0) >> 12 << 12
    places = {at for start, end in ((here - (48 << 20), here + (48 << 20)), (top - (16 << 20), top))
              for at in range(start, end, 4096)}
    found = 0
    own = id(needle) >> 12 << 12
    for at in places - {own}:
        read = libc.write(w, at, 4096)
        if read > 0:
            page = os.read(r, read)
            found += needle in page
            page = None
    return found
"""
    secret = Call(
        "g",
        '{"x": "SECRET-OF-ANOTHER", "wait": 0.5}',
        "def g(x, wait):\n    import time\n    time.sleep(wait)\n    return ('SECRET' + '-OF-ANOTHER') * 3000 + x",
    )
    with Sandbox(workers=1, cache_bytes=0) as sandbox:
        sandbox.run([Call(secret.name, '{"x": "SECRET-OF-ANOTHER", "wait": 0}', secret.source)] * 3)
        beside = threading.Thread(target=lambda: sandbox.run_groups([[secret]] * 3))
        beside.start()
        time.sleep(0.15)
        (result,) = sandbox.run([Call("f", "{}", spy)])
        beside.join()
    assert result.status is CallStatus.OK
    assert int(result.output) == 0


def kill_workers(sandbox: Sandbox, stop: threading.Event, seed: int, pause: float) -> int:
    chance, killed = random.Random(seed), 0
    while not stop.wait(chance.random() * pause):
        pids = sandbox.worker_pids()
        if pids:
            try:
                os.kill(chance.choice(pids), signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed += 1
    return killed


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_every_call_is_answered_once_and_right_however_often_a_worker_is_killed(rounds: int) -> None:
    """Slowly enough that none meets three deaths, after which a call is given back as ours."""
    with Sandbox(workers=2, cache_bytes=0) as sandbox:
        stop = threading.Event()
        killed: list[int] = []
        killer = threading.Thread(target=lambda: killed.append(kill_workers(sandbox, stop, rounds, pause=0.4)))
        killer.start()
        try:
            for start in range(0, 3000 * rounds, 300):
                sources = [PROVEN if n % 10 else UNPROVEN for n in range(300)]
                groups = [[honest(start + n, source)] for n, source in enumerate(sources)]
                results = sandbox.run_groups(groups) if start % 600 else list(sandbox.stream_groups(groups))
                assert len(results) == 300
                for number, (result,) in enumerate(results, start=start):
                    assert is_right(number, result), result
                time.sleep(0.3)
        finally:
            stop.set()
            killer.join()
        assert killed[0] > 3 * rounds


def test_calls_that_hang_take_about_one_time_limit_together_and_hold_up_no_honest_one() -> None:
    hanging = [
        "def f():\n    while True: pass",
        "def f():\n    import time\n    time.sleep(100)",
        "def f():\n    import re\n    return re.match('(a|a)*$', 'a' * 50 + 'b')",
        "def f():\n    import threading\n    while threading: pass",
    ]
    groups = [[Call("f", "{}", source)] for source in hanging[:2] * 31 + hanging[2:]]
    sources = [PROVEN if n % 20 else UNPROVEN for n in range(2000)]
    groups += [[honest(n, source)] for n, source in enumerate(sources)]
    order = list(range(len(groups)))
    random.Random(1).shuffle(order)
    with Sandbox(workers=2, limits=Limits(seconds=2), cache_bytes=0) as sandbox:
        started = time.monotonic()
        done = dict(zip(order, sandbox.run_groups([groups[n] for n in order]), strict=True))
        assert time.monotonic() - started < 30  # one after the other they would take two minutes
    assert {done[n][0].status for n in range(64)} == {CallStatus.TIMEOUT}
    assert all(is_right(n, done[64 + n][0]) for n in range(2000))


@pytest.mark.parametrize(
    "reply",
    [
        [],
        None,
        [[], False, False],
        [[["ok", "1", 1], ["ok", "1", 1]], False, False],
        [[["ok", 1, 1]], False, False],
        [[["ok", "1", 10**400]], False, False],
        [[["ok", "1", "soon"]], False, False],
        [[["infrastructure", "1", 1]], False, False],
        [[[["ok"], "1", 1]], False, False],
        "[" * 100_000,
    ],
)
def test_a_warm_interpreter_that_answers_nonsense_is_replaced_and_its_call_forked(
    reply: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ftrl.sandbox.warm import WarmWorker

    text = reply if isinstance(reply, str) else json.dumps(reply)
    with Sandbox(workers=1, cache_bytes=0) as sandbox:
        sandbox.run([honest(1)])
        before = set(sandbox.worker_pids())
        monkeypatch.setattr(WarmWorker, "_receive", lambda self, connection: text.encode())
        assert is_right(2, sandbox.run([honest(2)])[0])
        assert [is_right(n, result) for n, result in enumerate(sandbox.stream([honest(n) for n in range(3)]))] == [
            True
        ] * 3
        assert len(before & set(sandbox.worker_pids())) == 1


def test_where_no_folder_is_the_tools_own_it_changes_no_modes_nor_times_of_files(tmp_path: Path) -> None:
    """Landlock lets an owner do both. A file that does not exist tells who refused: not the file system."""
    program = tmp_path / "program.py"
    program.write_text(
        "from ftrl.sandbox import Call, Sandbox\n"
        "source = '''def f():\\n    import os\\n    said = []\\n    for change in (os.utime, lambda p: os.chmod(p, 0)):\\n"  # noqa: E501
        "        try: change('/no/such/file')\\n        except OSError as error: said.append(error.errno)\\n    return said'''\n"  # noqa: E501
        "with Sandbox(workers=1) as sandbox:\n    print(sandbox.run([Call('f', '{}', source)])[0].output)\n"
    )
    kernel = Path(__file__).with_name("refusing_kernel.py")
    command = [sys.executable, str(kernel), "unshare", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == f"[{errno.EPERM}, {errno.EPERM}]", done.stderr
