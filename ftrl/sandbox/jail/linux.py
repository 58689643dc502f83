"""The few Linux system calls that the jail needs and Python 3.10 does not offer, through the C library."""

from __future__ import annotations

import ctypes
import errno
import os
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_NEWTIME = 0x00000080

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47

SYSTEM_CALLS = {
    "x86_64": {"capset": 126, "pivot_root": 155, "seccomp": 317},
    "aarch64": {"capset": 91, "pivot_root": 41, "seccomp": 277},
}
"""Numbers that differ between machines; since 5.1 new system calls have one number everywhere."""

MOUNT_SETATTR = 442
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def machine() -> str:
    """The processor family, as the tables of this package name it."""
    name = platform_machine()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


def platform_machine() -> str:
    """The processor family, as the kernel names it."""
    return os.uname().machine.lower()


def number(name: str) -> int:
    """The number of a system call on this machine.

    Raises:
        OSError: this machine is not in the table.
    """
    numbers = SYSTEM_CALLS.get(machine())
    if numbers is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise OSError(errno.ENOSYS, f"no system call numbers are known here for {platform_machine()}")
    return numbers[name]


def call(number: int, *arguments: object) -> int:
    """Make a system call.

    Raises:
        OSError: it failed, or this is not Linux.
    """
    return _checked("syscall", ctypes.c_long(number), *arguments)


def unshare(flags: int) -> None:
    """Leave the namespaces named by ``flags`` for new ones."""
    _checked("unshare", ctypes.c_int(flags))


def prctl(option: int, *arguments: int) -> None:
    """``prctl`` with integer arguments."""
    padded = [*arguments, 0, 0, 0, 0][:4]
    _checked("prctl", ctypes.c_int(option), *(ctypes.c_ulong(value) for value in padded))


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """``mount(2)``."""
    _checked(
        "mount",
        source.encode(),
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        options.encode() or None,
    )


def unmount(target: str, flags: int) -> None:
    """``umount2(2)``."""
    _checked("umount2", os.fsencode(target), ctypes.c_int(flags))


def set_host_name(name: str) -> None:
    """``sethostname(2)``, within the host name namespace of this process."""
    _checked("sethostname", name.encode(), ctypes.c_size_t(len(name.encode())))


def _checked(function: str, *arguments: object) -> int:
    if _libc is None:
        raise OSError(errno.ENOSYS, "only Linux has this")
    result = int(getattr(_libc, function)(*arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{function}: {os.strerror(code)}")
    return result
