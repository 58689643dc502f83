"""Chromium without a window, spoken to by its DevTools protocol: what a page logs, asks for, and answers."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
)


def installed() -> str | None:
    """The browser's program, if there is one on this machine."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """A page that is open.

    Attributes:
        events: what the browser told of it on the way: (name, what), oldest first.
    """

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = to, back
        self._numbers = itertools.count(1)
        self._read = b""
        self._session: str | None = None
        self.events: list[tuple[str, dict[str, Any]]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Have the browser do something, and wait until it is done."""
        number = next(self._numbers)
        asked = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            asked["sessionId"] = self._session
        os.write(self._to, json.dumps(asked).encode() + b"\0")
        while (told := self._next()).get("id") != number:
            pass
        assert "error" not in told, f"{method}: {told['error']}"
        result: dict[str, Any] = told["result"]
        return result

    def open(self, url: str, *, width: int, height: int, dark: bool = False) -> None:
        """Open a page in a window of this size; one that is as narrow as a phone's is a phone's."""
        colours = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.ask("Emulation.setEmulatedMedia", features=[colours, still])
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        self.events.clear()
        self.ask("Page.navigate", url=url)
        while not self.told("Page.loadEventFired"):
            self._next()
        self.settle()

    def settle(self) -> None:
        """Wait until what is to be drawn is drawn."""
        self.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))")

    def evaluate(self, expression: str) -> Any:
        """What an expression in the page's own language comes to; promises are waited for."""
        told = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def told(self, name: str) -> list[dict[str, Any]]:
        """What the browser told under this name."""
        return [what for of, what in self.events if of == name]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            more = os.read(self._back, 1 << 16)
            assert more, "the browser has ended"
            self._read += more
        one, _, self._read = self._read.partition(b"\0")
        told: dict[str, Any] = json.loads(one)
        if "method" in told:
            self.events.append((told["method"], told.get("params", {})))
        return told


@contextmanager
def tab(program: str, profile: Path) -> Iterator[Tab]:
    """A page in a browser that runs for it alone."""
    (reads, to), (back, writes) = os.pipe(), os.pipe()
    # It reads commands from its file 3, and writes answers to 4.
    script = ["bash", "-c", f'exec "$@" 3<&{reads} 4>&{writes}', "chromium"]
    command = [*script, program, *QUIET, f"--user-data-dir={profile}", "--remote-debugging-pipe"]
    running = subprocess.Popen(command, pass_fds=(reads, writes), stderr=subprocess.DEVNULL)
    os.close(reads)
    os.close(writes)
    try:
        yield Tab(to, back)
    finally:
        running.terminate()
        running.wait()
        os.close(to)
        os.close(back)
