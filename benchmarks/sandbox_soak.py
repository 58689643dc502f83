"""Does anything grow? Makes very many calls on both paths, and watches memory, descriptors and processes.

    python benchmarks/sandbox_soak.py [--calls 1000000] [--forked 0.02] [--hostile 0.0005] [--workers 2]

Prints a line after each tenth of the calls. Ends with an error if a call was answered wrongly, or if between the second
tenth (by which everything has been started) and the last one the main process or a worker has grown by more than
``MOST_GROWTH``, or there are more descriptors or processes than workers that are being replaced can account for.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from figures import figure

from ftrl.sandbox import Call, CallStatus, Limits, Sandbox

MOST_GROWTH = 24 * 2**20
"""Bytes of resident memory, of the main process or of the largest worker."""
CACHE_BYTES = 8 * 2**20
"""Of results: full long before the second tenth, so that it is not what grows."""
SPARE = 4
"""Descriptors or processes more than before: a worker that is being replaced, seen between two breaths."""

PROVEN = "def f(x):\n    import re\n    return {{'twice': 2 * x, 'of': '{0}', 'text': re.sub('a', 'b', 'a' * {1})}}"
FORKED = "def f(x):\n    import random\n    return {{'twice': 2 * x, 'of': '{0}', 'text': 'b' * {1}}}"
HOSTILE = (
    "def f(x): return 'a' * 10**13",
    "def f(x):\n    import os\n    os._exit(1)",
    "def f(x):\n    import threading, time\n    threading.Thread(target=time.sleep, args=(9,)).start()\n    return 1",
    "def f(x): return 1 / 0",
    "def f(x):\n    import re\n    return [re.compile(str(x) + 'y' * i) for i in range(30)] and 'x' * (2**20 + x)",
)
SOURCES = 500
"""Different tools of each kind; a call brings its source as a text of its own, as one that was just parsed does."""


def calls(count: int, forked: float, hostile: float) -> Iterator[tuple[Call, str | None]]:
    """Calls, and what each must answer; None for a hostile one."""
    chance = random.Random(7)
    for number in range(count):
        arguments = f'{{"x": {number}}}'
        kind = chance.random()
        if kind < hostile:
            yield Call("f", arguments, chance.choice(HOSTILE)), None
            continue
        which = number % SOURCES
        template = FORKED if kind < hostile + forked else PROVEN
        right = json.dumps({"twice": 2 * number, "of": str(which), "text": "b" * (which % 50)})
        yield Call("f", arguments, template.format(which, which % 50)), right


def resident(process: int | str) -> int:
    """Bytes of memory that a process has in use; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def below(process: int) -> list[int]:
    """All processes below one, zombies too."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                parent = int(
                    (place / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
                )
            except OSError:
                continue
            children.setdefault(parent, []).append(int(place.name))
    found, waiting = [], [process]
    while waiting:
        inner = children.get(waiting.pop(), [])
        found += inner
        waiting += inner
    return found


def look() -> dict[str, int]:
    """What there is right now."""
    processes = below(os.getpid())
    return {
        "main": resident("self"),
        "largest worker": max((resident(process) for process in processes), default=0),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "processes": len(processes),
    }


def soak(count: int, forked: float, hostile: float, workers: int) -> int:
    """Make the calls; returns an exit code."""
    seen: list[dict[str, int]] = []
    wrong = 0
    started = time.perf_counter()
    with Sandbox(workers=workers, limits=Limits(seconds=5), cache_bytes=CACHE_BYTES) as sandbox:
        asked, known = itertools.tee(calls(count, forked, hostile))
        expected = (right for _, right in known)
        answers = sandbox.stream(call for call, _ in asked)
        for number, (result, right) in enumerate(zip(answers, expected, strict=True), start=1):
            good = result.status is CallStatus.OK and result.output == right
            if result.status is CallStatus.INFRASTRUCTURE or (right is not None and not good):
                wrong += 1
                print(f"wrong: {result.status.value}: {result.output[:200]}", file=sys.stderr)
            if number % max(1, count // 10) == 0:
                seen.append(look())
                now, speed = seen[-1], number / (time.perf_counter() - started)
                print(
                    f"{number:>9} calls, {speed:7.0f}/s: main {now['main'] >> 20} MiB, "
                    f"largest worker {now['largest worker'] >> 20} MiB, {now['descriptors']} descriptors, "
                    f"{now['processes']} processes",
                    flush=True,
                )
    left = len(below(os.getpid()))
    figure("wrong or missing answers", wrong, "", "0")
    early, late = seen[min(1, len(seen) - 1)], seen[-1]
    grown = [name for name in ("main", "largest worker") if late[name] - early[name] > MOST_GROWTH]
    grown += [name for name in ("descriptors", "processes") if late[name] - early[name] > SPARE]
    for name in ("main", "largest worker"):
        figure(f"memory, {name}: at the end, of that after a fifth", late[name] / early[name], target="<= 1.1")
    for name in grown:
        print(f"{name} grew from {early[name]} to {late[name]}", file=sys.stderr)
    if left:
        print(f"{left} processes are left", file=sys.stderr)
    return 1 if grown or wrong or left else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--forked", type=float, default=0.02, help="share of calls that take the fork path")
    parser.add_argument("--hostile", type=float, default=0.0005, help="share of calls of hostile tools")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    return soak(options.calls, options.forked, options.hostile, options.workers)


if __name__ == "__main__":
    raise SystemExit(main())
