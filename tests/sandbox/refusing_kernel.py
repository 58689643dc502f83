"""Run a Python program on a kernel that refuses some system calls, as containers and old kernels do.

Usage: python refusing_kernel.py "unshare mount" program.py argument…
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

NUMBERS = {
    "x86_64": {"unshare": 272, "mount": 165, "seccomp": 317, "landlock_create_ruleset": 444},
    "aarch64": {"unshare": 97, "mount": 40, "seccomp": 277, "landlock_create_ruleset": 444},
}


def refuse(names: list[str]) -> None:
    numbers = NUMBERS[os.uname().machine]
    allow, deny = 0x7FFF0000, 0x00050000 | errno.EPERM
    program = struct.pack("<HBBI", 0x20, 0, 0, 0)
    for name in names:
        program += struct.pack("<HBBI", 0x15, 0, 1, numbers[name]) + struct.pack("<HBBI", 0x06, 0, 0, deny)
    program += struct.pack("<HBBI", 0x06, 0, 0, allow)
    code = ctypes.create_string_buffer(program, len(program))
    head = ctypes.create_string_buffer(struct.pack("@HxxxxxxQ", len(program) // 8, ctypes.addressof(code)), 16)
    libc = ctypes.CDLL(None, use_errno=True)
    set_no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
    if libc.prctl(set_no_new_privileges, 1, 0, 0, 0) or libc.prctl(set_seccomp, filter_mode, head, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot install the filter")


if __name__ == "__main__":
    refuse(sys.argv[1].split())
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
