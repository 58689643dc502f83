"""Landlock: from here on, only the named places of the file system can be opened, and no TCP at all."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Sequence

from . import linux

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
MAKE_CHAR, MAKE_BLOCK = 1 << 6, 1 << 11
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15

READ = READ_FILE | READ_DIR
FOR_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
"""The rights that make sense below a rule for a single file."""

_RIGHTS_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_ALL_RIGHTS = (1 << 16) - 1  # of ABI 5 and later
_TCP_BIND_AND_CONNECT = 3
_ABSTRACT_SOCKETS_AND_SIGNALS = 3
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1


def restrict(readable: Sequence[str], writable: Sequence[str]) -> None:
    """Shut the calling process, and all it will start, out of every other place; needs no_new_privs.

    Raises:
        OSError: this kernel has no Landlock, or it is switched off.
    """
    rules = ruleset(readable, writable)
    try:
        enter(rules)
    finally:
        os.close(rules)


def enter(rules: int) -> None:
    """As ``restrict``, by rules that were made beforehand."""
    linux.call(linux.LANDLOCK_RESTRICT_SELF, rules, 0)


def ruleset(readable: Sequence[str], writable: Sequence[str]) -> int:
    """Rules for ``enter``; returns their descriptor.

    Raises:
        OSError: this kernel has no Landlock, or it is switched off.
    """
    abi = linux.call(linux.LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _CREATE_RULESET_VERSION)
    handled = _RIGHTS_BY_ABI.get(abi, _ALL_RIGHTS)
    attributes = struct.pack("<Q", handled)
    if abi >= 4:
        attributes += struct.pack("<Q", _TCP_BIND_AND_CONNECT)
    if abi >= 6:
        attributes += struct.pack("<Q", _ABSTRACT_SOCKETS_AND_SIGNALS)
    rules = linux.call(linux.LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    try:
        for path in readable:
            _allow(rules, path, READ & handled)
        for path in writable:
            _allow(rules, path, handled & ~(EXECUTE | MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV))
    except OSError:
        os.close(rules)
        raise
    return rules


def _allow(rules: int, path: str, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= FOR_FILES
        rule = struct.pack("<Qi", rights, place)
        linux.call(linux.LANDLOCK_ADD_RULE, rules, _RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(place)
