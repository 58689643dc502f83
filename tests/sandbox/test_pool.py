"""The sandbox as its users hold it: order, concurrency, death of workers, closing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from ftrl.errors import FtrlError
from ftrl.sandbox import Call, CallStatus, Limits, Sandbox

ECHO = "def echo(x, wait=0):\n    import time\n    time.sleep(wait)\n    return x"


def echo(number: int, wait: float = 0.0) -> Call:
    return Call("echo", f'{{"x": "{number}", "wait": {wait}}}', ECHO)


def test_results_come_in_the_order_of_the_calls(sandbox: Sandbox) -> None:
    results = sandbox.run([echo(n, wait=0.05 if n % 3 == 0 else 0) for n in range(20)])
    assert [result.output for result in results] == [str(n) for n in range(20)]
    assert sandbox.run([]) == []


def test_two_hundred_awaiters_each_get_their_own_results(sandbox: Sandbox) -> None:
    async def all_of_them() -> list[list[str]]:
        batches = [sandbox.run_async([echo(2 * n), echo(2 * n + 1)]) for n in range(200)]
        return [[result.output for result in results] for results in await asyncio.gather(*batches)]

    assert asyncio.run(all_of_them()) == [[str(2 * n), str(2 * n + 1)] for n in range(200)]


def test_the_event_loop_goes_on_while_tools_run(sandbox: Sandbox) -> None:
    async def count_ticks() -> int:
        running = asyncio.ensure_future(sandbox.run_async([echo(1, wait=0.5)]))
        ticks = 0
        while not running.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    assert asyncio.run(count_ticks()) >= 5


def test_threads_may_share_a_sandbox(sandbox: Sandbox) -> None:
    outputs: dict[int, list[str]] = {}

    def work(start: int) -> None:
        outputs[start] = [result.output for result in sandbox.run([echo(start + n) for n in range(10)])]

    threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 80, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outputs == {start: [str(start + n) for n in range(10)] for start in range(0, 80, 10)}


def test_a_stream_takes_no_more_calls_than_it_needs_to_keep_busy() -> None:
    taken = 0

    def calls() -> Iterator[Call]:
        nonlocal taken
        for number in range(50_000):
            taken += 1
            yield echo(number)

    with Sandbox(workers=1) as single:
        stream = single.stream(calls())
        assert next(stream).output == "0"
        assert taken <= 5_000
        assert [next(stream).output for _ in range(10)] == [str(n) for n in range(1, 11)]


def test_a_worker_killed_in_the_middle_costs_no_call_its_answer() -> None:
    with Sandbox(workers=2) as sandbox:
        killed: set[int] = set()

        def kill_one_after_the_other() -> None:
            while len(killed) < 4:
                time.sleep(0.1)
                for worker in set(sandbox.worker_pids()) - killed:
                    os.kill(worker, signal.SIGKILL)
                    killed.add(worker)

        killer = threading.Thread(target=kill_one_after_the_other)
        killer.start()
        results = sandbox.run([echo(n, wait=0.05) for n in range(100)])
        killer.join()

        assert len(results) == 100
        for number, result in enumerate(results):
            # A call that met its second dead worker says so; every other one is right.
            assert result.output == str(number) or result.status is CallStatus.INFRASTRUCTURE
        assert sum(result.status is CallStatus.INFRASTRUCTURE for result in results) <= len(killed) // 2
        assert [r.output for r in sandbox.run([echo(n) for n in range(10)])] == [str(n) for n in range(10)]


def test_a_call_whose_worker_dies_once_is_made_again() -> None:
    with Sandbox(workers=1) as sandbox:
        killer = threading.Timer(0.3, lambda: os.kill(sandbox.worker_pids()[0], signal.SIGKILL))
        killer.start()
        (result,) = sandbox.run([echo(7, wait=0.8)])
        assert (result.output, result.status) == ("7", CallStatus.OK)


def test_a_hanging_call_holds_up_only_its_own_worker() -> None:
    with Sandbox(workers=2, limits=Limits(seconds=3)) as sandbox:
        hanging = Call("hang", "{}", "def hang():\n    while True: pass")
        finished: list[float] = []
        started = time.monotonic()
        thread = threading.Thread(target=lambda: sandbox.run([hanging]))
        thread.start()
        sandbox.run([echo(n) for n in range(20)])
        finished.append(time.monotonic() - started)
        thread.join()
        assert finished[0] < 2.5


def test_cancelling_drops_the_calls_that_have_not_begun() -> None:
    async def cancel_early(sandbox: Sandbox) -> None:
        task = asyncio.ensure_future(sandbox.run_async([echo(n, wait=0.5) for n in range(100)]))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Sandbox(workers=1) as sandbox:
        asyncio.run(cancel_early(sandbox))
        started = time.monotonic()
        assert sandbox.run([echo(1)])[0].output == "1"
        assert time.monotonic() - started < 10


def test_a_worker_that_ended_while_idle_is_replaced(soon: Callable[[Callable[[], bool]], bool]) -> None:
    with Sandbox(workers=1) as sandbox:
        (worker,) = sandbox.worker_pids()
        os.kill(worker, signal.SIGKILL)
        assert sandbox.run([echo(1)])[0].output == "1"
        assert sandbox.worker_pids() != [worker]


def test_closing_leaves_no_process(
    processes_below: Callable[[int], set[int]], soon: Callable[[Callable[[], bool]], bool]
) -> None:
    before = processes_below(os.getpid())
    sandbox = Sandbox(workers=2)
    sandbox.run([echo(1), echo(2)])
    assert processes_below(os.getpid()) > before
    sandbox.close()
    sandbox.close()
    assert soon(lambda: processes_below(os.getpid()) <= before)
    with pytest.raises(FtrlError, match="closed"):
        sandbox.run([echo(1)])


def test_closing_answers_those_who_still_wait() -> None:
    sandbox = Sandbox(workers=1)
    answers: list[CallStatus] = []
    waiting = threading.Thread(target=lambda: answers.extend(r.status for r in sandbox.run([echo(1, wait=8)] * 3)))
    waiting.start()
    time.sleep(0.3)
    sandbox.close()
    waiting.join(timeout=5)
    assert answers == [CallStatus.INFRASTRUCTURE] * 3


def test_workers_die_with_a_main_process_that_is_killed(
    processes_below: Callable[[int], set[int]], soon: Callable[[Callable[[], bool]], bool]
) -> None:
    program = textwrap.dedent("""
        import sys, threading
        from ftrl.sandbox import Call, Sandbox
        sandbox = Sandbox(workers=2)
        hang = Call("hang", "{}", "def hang():\\n    import time\\n    time.sleep(60)")
        threading.Thread(target=sandbox.run, args=([hang] * 2,)).start()
        print("up", flush=True)
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as main:
        assert main.stdout is not None
        assert main.stdout.readline() == "up\n"
        assert soon(lambda: len(processes_below(main.pid)) >= 4)
        workers = processes_below(main.pid)
        main.kill()
    assert soon(lambda: not any(os.path.exists(f"/proc/{worker}") for worker in workers))  # noqa: PTH110


def test_a_sandbox_is_not_used_across_a_fork(sandbox: Sandbox) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            sandbox.run([echo(1)])
        except FtrlError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert b"does not survive a fork" in os.read(reading, 1000)


def test_a_sandbox_without_workers_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        Sandbox(workers=0)


@pytest.mark.parametrize("interpreter", ["/bin/false", "/no/such/python", ""])
def test_a_machine_that_cannot_start_workers_is_told_so(monkeypatch: pytest.MonkeyPatch, interpreter: str) -> None:
    monkeypatch.setattr(sys, "executable", interpreter)
    with pytest.raises(FtrlError, match="the sandbox cannot start"):
        Sandbox(workers=2)


def test_calls_are_answered_as_infrastructure_while_no_worker_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(workers=1) as sandbox:
        monkeypatch.setattr(sys, "executable", "/no/such/python")
        os.kill(sandbox.worker_pids()[0], signal.SIGKILL)
        (result,) = sandbox.run([echo(1)])
        assert result.status is CallStatus.INFRASTRUCTURE
        assert "the sandbox failed, not the tool: a worker process did not start" in result.output
        monkeypatch.undo()
        assert sandbox.run([echo(1)])[0].output == "1"


@pytest.mark.parametrize(("field", "value"), [("name", ["f"]), ("arguments", {}), ("source", 3)])
def test_a_call_that_is_not_text_is_refused_where_it_is_made(field: str, value: object) -> None:
    fields: dict[str, object] = {"name": "f", "arguments": "{}", "source": "", field: value}
    with pytest.raises(TypeError, match=f"Call.{field} must be text"):
        Call(**fields)  # type: ignore[arg-type]


def test_hanging_calls_that_may_use_the_scratch_folder_hold_up_no_others() -> None:
    hanging = "def hang():\n    import os, time\n    time.sleep(60)"
    with Sandbox(workers=1, limits=Limits(seconds=4)) as sandbox:
        wild: list[CallStatus] = []

        def hang() -> None:
            results = sandbox.run_groups([[Call("hang", "{}", hanging)] for _ in range(6)])
            wild.extend(result.status for (result,) in results)

        waiting = threading.Thread(target=hang)
        waiting.start()
        time.sleep(0.5)
        results = [sandbox.run([echo(number)])[0].output for number in range(20)]
        assert results == [str(number) for number in range(20)]
        assert not wild
        waiting.join()
        assert wild == [CallStatus.TIMEOUT] * 6
