"""A seccomp filter: a list of the system calls that computing needs, and nothing else of the kernel.

Left out, among others: sockets, exec, ptrace, namespaces, mounts, memfd, System V and POSIX IPC, keyrings,
io_uring, bpf, perf, userfaultfd, other processes' limits, priorities and memory.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from enum import Enum

from . import linux
from .syscall_numbers import NUMBERS

_AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM
_NO_SUCH_CALL = 0x00050000 | errno.ENOSYS
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

_CLONE_THREAD = 0x00010000
_NEW_NAMESPACES = (
    linux.CLONE_NEWNS
    | linux.CLONE_NEWCGROUP
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUSER
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWNET
)
_TERMINAL_AND_DESCRIPTOR_REQUESTS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""ioctl: TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: what opening a file asks for."""

_DESCRIPTOR_COMMANDS = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1031, 1032)
"""fcntl: copies, flags, locks on ranges, the size of a pipe. Left out are owners and their signals, which end other
processes of the same user; leases; and notices of changes."""

_AF_UNIX = 1
_SECCOMP_SET_MODE_FILTER = 1
_FIRST_NUMBER_COMMON_TO_ALL_MACHINES = 424

_SCHED_IDLE = 5
_ZYGOTE_ONLY = (
    "fork",
    "vfork",
    "kill",
    "tkill",
    "tgkill",
    "sched_setscheduler",
    "seccomp",
    "setpriority",
    "landlock_restrict_self",
)

_MAKE_OR_WRITE = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000
"""O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, and the bit of its own that O_TMPFILE has."""

_FILE_CHANGES = (
    "chmod", "copy_file_range", "creat", "fallocate", "fchmod", "fchmodat", "ftruncate", "futimesat", "link", "linkat",
    "mkdir", "mkdirat", "openat2", "rename", "renameat", "renameat2", "rmdir", "sendfile", "splice", "symlink",
    "symlinkat", "tee", "truncate", "unlink", "unlinkat", "utime", "utimensat", "utimes",
)  # fmt: skip


class Kind(Enum):
    """Whom a filter is for."""

    ZYGOTE = "zygote"
    """Starts, ends and parks processes, and filters them further."""
    ROOMY = "roomy"
    """A child that may start threads, and write to a scratch folder if there is one."""
    QUIET = "quiet"
    """A child of one thread that makes and changes no files."""


class Filter:
    """A compiled filter, ready to be put on.

    Args:
        kind: whom it is for.
        own_files: it may change files, since all that it can reach are its own; never so if it is ``QUIET``.

    Raises:
        OSError: this machine's system call numbers are not known here.
    """

    def __init__(self, kind: Kind, *, own_files: bool = False) -> None:
        machine = linux.machine()
        if machine not in NUMBERS or ctypes.sizeof(ctypes.c_void_p) != 8:
            raise OSError(errno.ENOSYS, f"no system call numbers are known here for {machine}")
        program = _program(machine, kind, own_files and kind is not Kind.QUIET)
        self._code = ctypes.create_string_buffer(program, len(program))
        instructions = len(program) // 8
        self._head = ctypes.create_string_buffer(
            struct.pack("@HxxxxxxQ", instructions, ctypes.addressof(self._code)), 16
        )

    def put_on(self) -> None:
        """Filter this process and all it starts, for good; needs no_new_privs."""
        linux.call(linux.number("seccomp"), _SECCOMP_SET_MODE_FILTER, 0, self._head)


def _program(machine: str, kind: Kind, own_files: bool) -> bytes:
    numbers = NUMBERS[machine]
    clone = {
        Kind.ZYGOTE: _check(0, _IF_ANY_BIT, _NEW_NAMESPACES, then=_REFUSE, otherwise=_ALLOW),
        Kind.ROOMY: _check(0, _IF_ANY_BIT, _CLONE_THREAD, then=_ALLOW, otherwise=_REFUSE),
        Kind.QUIET: [_instruction(_RETURN, _REFUSE)],
    }
    checked = {
        "clone": clone[kind],
        "fcntl": _one_of(1, _DESCRIPTOR_COMMANDS),
        "ioctl": _one_of(1, _TERMINAL_AND_DESCRIPTOR_REQUESTS),
        "prctl": _one_of(0, (linux.PR_SET_PDEATHSIG, linux.PR_SET_NAME)),
        "prlimit64": _one_of(0, (0,)),  # one's own limits only, not the zygote's
        "socketpair": _one_of(0, (_AF_UNIX,)),  # what asyncio's event loop needs
    }
    refused: set[str] = set()
    if kind is Kind.ZYGOTE:
        checked["sched_setscheduler"] = _one_of(1, (_SCHED_IDLE,))
    else:
        refused.update(_ZYGOTE_ONLY)
    if kind is not Kind.ZYGOTE and not own_files:
        refused.update(_FILE_CHANGES)
        for name, flags_at in (("open", 1), ("openat", 2)):
            checked[name] = _check(flags_at, _IF_ANY_BIT, _MAKE_OR_WRITE, then=_REFUSE, otherwise=_ALLOW)
    checked = {name: check for name, check in checked.items() if name in numbers}
    plain = [name for name in numbers if name not in checked and name not in refused]

    program = [
        _instruction(_LOAD, _ARCHITECTURE_AT),
        _instruction(_IF_EQUAL, _AUDIT_ARCHITECTURE[machine], jump_true=1),
        _instruction(_RETURN, _REFUSE),
        _instruction(_LOAD, _NUMBER_AT),
    ]
    for name, check in checked.items():
        program += [_instruction(_IF_EQUAL, numbers[name], jump_false=len(check)), *check]
    for name in plain:
        program += [_instruction(_IF_EQUAL, numbers[name], jump_false=1), _instruction(_RETURN, _ALLOW)]
    # C libraries try newer calls first (clone3, futex_wait, …) and fall back only on "no such call".
    program += [
        _instruction(_IF_AT_LEAST, _FIRST_NUMBER_COMMON_TO_ALL_MACHINES, jump_false=1),
        _instruction(_RETURN, _NO_SUCH_CALL),
        _instruction(_RETURN, _REFUSE),
    ]
    return b"".join(program)


def _check(argument: int, condition: int, value: int, *, then: int, otherwise: int) -> list[bytes]:
    return [
        _instruction(_LOAD, _ARGUMENTS_AT + 8 * argument),
        _instruction(condition, value, jump_false=1),
        _instruction(_RETURN, then),
        _instruction(_RETURN, otherwise),
    ]


def _one_of(argument: int, values: tuple[int, ...]) -> list[bytes]:
    check = [_instruction(_LOAD, _ARGUMENTS_AT + 8 * argument)]
    for value in values:
        check += [_instruction(_IF_EQUAL, value, jump_false=1), _instruction(_RETURN, _ALLOW)]
    return [*check, _instruction(_RETURN, _REFUSE)]


def _instruction(code: int, value: int, *, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, jump_true, jump_false, value)
