"""What the worker gives up for good: capabilities, new privileges, being looked into."""

from __future__ import annotations

import os
import signal
import struct

from . import linux
from .layers import Layers

_CAPABILITY_VERSION = 0x20080522
_LAST_CAPABILITY_TRIED = 63
_AMBIENT_CLEAR_ALL = 4


def give_up(layers: Layers) -> None:
    """Drop capabilities, forbid new ones, and close the process to ptrace and /proc/PID/mem."""
    layers.attempt("no capabilities", _drop_capabilities)
    layers.attempt("no new privileges", lambda: linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1))
    layers.attempt("closed to ptrace", lambda: linux.prctl(linux.PR_SET_DUMPABLE, 0))


def die_with(parent: int) -> None:
    """Be killed when the process that started this one ends. A change of user undoes it: call it after that.

    Raises:
        OSError: this is not Linux.
    """
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)  # it had ended before we asked


def _drop_capabilities() -> None:
    linux.prctl(linux.PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
    for capability in range(_LAST_CAPABILITY_TRIED + 1):
        try:
            linux.prctl(linux.PR_CAPBSET_DROP, capability)
        except OSError:
            break  # past the last one that this kernel knows, or an ordinary user, who has none to drop
    header = struct.pack("<II", _CAPABILITY_VERSION, 0)
    linux.call(linux.number("capset"), header, bytes(24))
    if os.geteuid() == 0:
        raise OSError(None, "dropped, yet the user is still root and owns root's files")
