"""Namespaces of the worker's own: user, PID, mount, network, IPC, host name, cgroup."""

from __future__ import annotations

import errno
import os
import stat
import sys

from . import linux
from .layers import Layers

_FALLBACK_ID = 65534  # "nobody", which every container's range of ids holds


def enter_process_namespace(layers: Layers) -> bool:
    """Have the next child start a PID namespace, entering a user namespace first where that takes no root.

    Returns:
        Whether the next fork is that namespace's first process.
    """
    as_root = os.geteuid() == 0
    if as_root and _permitted(linux.CLONE_NEWPID):
        # With the real root's powers, mounts come first and the user is changed afterwards.
        return layers.attempt("PID namespace", lambda: None)
    if as_root:
        become_nobody(layers)
    layers.attempt("user namespace", _enter_user_namespace)
    return layers.attempt("PID namespace", lambda: linux.unshare(linux.CLONE_NEWPID))


def enter_other_namespaces(layers: Layers) -> None:
    """Leave the host's mounts, network, IPC, host name and cgroup tree."""
    layers.attempt("mount namespace", lambda: linux.unshare(linux.CLONE_NEWNS))
    layers.attempt("network namespace", lambda: linux.unshare(linux.CLONE_NEWNET))
    layers.attempt("IPC namespace", lambda: linux.unshare(linux.CLONE_NEWIPC))
    layers.attempt("host name namespace", _enter_host_name_namespace)
    layers.attempt("cgroup namespace", lambda: linux.unshare(linux.CLONE_NEWCGROUP))


def become_nobody(layers: Layers) -> None:
    """Give root up for a user that owns nothing and shares its limits with no other worker."""

    def change() -> None:
        if sys.platform != "linux":
            raise OSError(errno.ENOSYS, "the sandbox does this on Linux only")
        if not _readable_by_all(os.__file__):
            raise OSError(None, f"only root may read the standard library below {os.path.dirname(os.__file__)}")
        identity = 0x60000000 + int.from_bytes(os.urandom(3), "big")
        os.setgroups([])
        try:
            os.setresgid(identity, identity, identity)
        except OSError:  # a container whose range of ids is short
            identity = _FALLBACK_ID
            os.setresgid(identity, identity, identity)
        os.setresuid(identity, identity, identity)
        linux.prctl(linux.PR_SET_DUMPABLE, 1)  # a change of user hides /proc/self from its owner

    layers.attempt("unprivileged user", change)


def _enter_host_name_namespace() -> None:
    linux.unshare(linux.CLONE_NEWUTS)
    linux.set_host_name("sandbox")


def _permitted(namespace: int) -> bool:
    try:
        linux.unshare(namespace)
    except OSError:
        return False
    return True


def _enter_user_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    linux.unshare(linux.CLONE_NEWUSER)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {uid} 1")
    _write("/proc/self/gid_map", f"{gid} {gid} 1")


def _write(path: str, text: str) -> None:
    place = os.open(path, os.O_WRONLY)
    try:
        os.write(place, text.encode())
    finally:
        os.close(place)


def _readable_by_all(path: str) -> bool:
    """Whether a user without rights of its own can reach the file from the root folder."""
    if not os.stat(path).st_mode & stat.S_IROTH:
        return False
    folder = os.path.dirname(path)
    while os.stat(folder).st_mode & stat.S_IXOTH:
        if folder == "/":
            return True
        folder = os.path.dirname(folder)
    return False
