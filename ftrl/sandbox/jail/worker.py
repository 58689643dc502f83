"""Sets up one worker: jail first, then the loop of a zygote or a warm interpreter.

With a PID namespace there are two processes: this one, outside, waits, and the worker proper, the first process
inside, cannot be killed by anything it starts. When either ends, so does all that ran below it.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import signal
import sys

from . import filesystem, landlock, limits, namespaces, packages, privileges, wire
from .guard import Guard
from .layers import Layers
from .settings import Settings
from .warm import Warm
from .zygote import Zygote

_MODULES_AT_HAND = (
    "_strptime",
    "collections",
    "copy",
    "datetime",
    "functools",
    "itertools",
    "json",
    "math",
    "re",
    "time",
    "typing",
)
"""What tools import most, at hand before any fork. Each one makes every fork a little dearer, so no more than that:
``random`` or ``hashlib`` cost their users a millisecond, and would cost all others a twentieth of that."""

_CONTROL = 3
_LONGEST_SETTINGS = 1 << 16


def main() -> None:
    """Build the jail and serve until the main process hangs up."""
    _take_descriptors()
    message = wire.receive(functools.partial(os.read, _CONTROL), _LONGEST_SETTINGS)
    if message is None:
        return
    settings = Settings(**json.loads(message[0]))
    os.umask(0o022)  # or the folders of a root folder of our own might be closed to the user we become
    os.environ.clear()
    os.environ["TZ"] = "UTC"
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    layers = Layers()
    guard = _enter_jail(layers, settings)
    for module in _MODULES_AT_HAND:
        importlib.import_module(module)
    packages.NamedPackages(settings.packages).offer()
    report = json.dumps([list(layer) for layer in layers.all]).encode()
    os.write(_CONTROL, wire.pack(report))
    _silence_standard_streams()
    if settings.warm:
        guard.confine(roomy=False)
        Warm(_CONTROL, settings).serve()
    else:
        Zygote(_CONTROL, settings, guard).serve()


def _take_descriptors() -> None:
    """Keep the socket to the main process and, until the jail stands, stderr for a failure's last words."""
    os.dup2(0, _CONTROL, inheritable=False)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)


def _silence_standard_streams() -> None:
    """What a tool prints goes nowhere."""
    nothing = open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
    os.dup2(nothing.fileno(), 2)
    sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = nothing  # type: ignore[misc]


def _enter_jail(layers: Layers, settings: Settings) -> Guard:
    """Build every layer that this system grants."""
    bare_bytes = limits.address_space()
    layers.attempt("kill at the time limit", lambda: None)
    layers.attempt("empty environment", lambda: None)
    alone = namespaces.enter_process_namespace(layers)
    if alone:
        _leave_one_process_outside(settings.parent)
    namespaces.enter_other_namespaces(layers)
    own_root = layers.active("mount namespace") and layers.attempt(
        "own root folder", lambda: filesystem.build(settings.packages)
    )
    if not own_root:
        _enter_deleted_folder()
    if os.geteuid() == 0 and not layers.tried("unprivileged user"):
        namespaces.become_nobody(layers)
    parent = 0 if alone else settings.parent  # seen from inside, the process outside has no number
    layers.attempt("death with the main process", lambda: privileges.die_with(parent))
    privileges.give_up(layers)
    own_user = layers.active("user namespace") or layers.active("unprivileged user")
    layers.attempt(
        "limits", lambda: limits.put_on(settings, bare_bytes=bare_bytes, own_root=own_root, own_user=own_user)
    )
    readable = [*filesystem.readable_places(), *settings.packages]
    writable = [os.devnull, filesystem.SCRATCH] if own_root else [os.devnull]
    no_scratch = None
    if layers.attempt("Landlock", lambda: landlock.restrict(readable, writable)):
        no_scratch = landlock.ruleset(readable, [os.devnull])
    return Guard(layers, alone=alone, own_root=own_root, no_scratch=no_scratch)


def _leave_one_process_outside(main_process: int) -> None:
    """Fork the namespace's first process, and return in that one only."""
    child = os.fork()
    if child:
        os.close(_CONTROL)
        privileges.die_with(main_process)
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    os.setsid()


def _enter_deleted_folder() -> None:
    """Without a root folder of its own, the worker works in a folder in which nothing can be made."""
    folder = f"/tmp/ftrl-sandbox-{os.urandom(8).hex()}"
    os.mkdir(folder, 0o700)
    os.chdir(folder)
    os.rmdir(folder)
