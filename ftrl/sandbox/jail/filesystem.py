"""A root folder of the worker's own: read-only standard and system libraries, /dev/null, a small scratch."""

from __future__ import annotations

import ctypes
import glob
import os
import struct
import sys
from collections.abc import Sequence

from . import linux

SCRATCH = "/scratch"
"""Where a call may write: its working folder, and so where ``tempfile`` ends up. Emptied after each call."""

_SCRATCH_OPTIONS = "size=16m,nr_inodes=256,mode=1777"

_SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
"""What extension modules of the standard library are linked against."""

_TIME_ZONES = "/usr/share/zoneinfo"
_MOUNT_POINTS = ("/tmp", "/mnt", "/media", "/srv", "/run")
_INSTALLED_PACKAGES = ("site-packages", "dist-packages")

_RDONLY, _NOSUID, _NODEV, _NOEXEC, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 4096, 16384, 1 << 18
_REMOUNT, _DETACH = 32, 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000


def readable_places() -> list[str]:
    """The folders that a tool may read, none inside another, without links."""
    library = os.path.dirname(os.path.realpath(os.__file__))
    beside = os.path.join(os.path.realpath(sys.base_prefix), "lib")
    candidates = [library, beside, _TIME_ZONES, *_SYSTEM_LIBRARIES]
    places = sorted({os.path.realpath(path) for path in candidates if os.path.isdir(path)})
    return [path for path in places if not any(path.startswith(other + "/") for other in places if other != path)]


def build(packages: Sequence[str]) -> None:
    """Replace the root folder; needs a mount namespace.

    Args:
        packages: installed packages to keep in sight, folders or files.

    Raises:
        OSError: mounting is not permitted, or no folder to mount on is there.
    """
    places = readable_places()
    root = _mount_point([*places, *packages])
    linux.mount("none", "/", None, _REC | _PRIVATE)
    linux.mount("tmpfs", root, "tmpfs", _NOSUID | _NODEV, "size=512k,nr_inodes=256,mode=755")
    hidden = []
    for place in places:
        _show(place, root)
        hidden += _hide_installed_packages(root + place)
    for package in packages:
        _show(package, root)
    for folder in hidden:
        _shut(folder)
    for link in _SYSTEM_LIBRARIES:
        if os.path.islink(link) and not os.path.lexists(root + link):
            os.symlink(os.path.realpath(link), root + link)
    _make_mount_point(os.devnull, root)
    linux.mount(os.devnull, root + os.devnull, None, _BIND)
    os.makedirs(root + SCRATCH)
    linux.mount("tmpfs", root + SCRATCH, "tmpfs", _NOSUID | _NODEV | _NOEXEC, _SCRATCH_OPTIONS)
    os.chdir(root)
    linux.call(linux.number("pivot_root"), b".", b".")
    linux.unmount(".", _DETACH)
    os.chdir("/")
    _shut("/")
    os.chdir(SCRATCH)


def _show(place: str, root: str) -> None:
    """Make a folder or file of the host appear at the same path below ``root``, read-only."""
    _make_mount_point(place, root)
    linux.mount(place, root + place, None, _BIND | _REC)
    _make_read_only(root + place)


def _make_mount_point(place: str, root: str) -> None:
    if os.path.isdir(place):
        os.makedirs(root + place, exist_ok=True)
        return
    os.makedirs(os.path.dirname(root + place), exist_ok=True)
    os.close(os.open(root + place, os.O_CREAT | os.O_WRONLY, 0o666))


def _shut(folder: str) -> None:
    """Make a file system of ours read-only, now that all is in it."""
    linux.mount("none", folder, None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)


def _mount_point(places: list[str]) -> str:
    for folder in _MOUNT_POINTS:
        real = os.path.realpath(folder)
        if os.path.isdir(real) and not any(f"{place}/".startswith(f"{real}/") for place in places):
            return real
    raise OSError(None, f"none of {', '.join(_MOUNT_POINTS)} is there to mount on")


def _make_read_only(folder: str) -> None:
    attributes = struct.pack("<QQQQ", _RDONLY | _NOSUID | _NODEV, 0, 0, 0)
    linux.call(
        linux.MOUNT_SETATTR,
        _AT_FDCWD,
        os.fsencode(folder),
        _AT_RECURSIVE,
        attributes,
        ctypes.c_size_t(len(attributes)),
    )


def _hide_installed_packages(folder: str) -> list[str]:
    """Lay an empty folder over every folder of installed packages; returns these."""
    hidden = []
    for name in _INSTALLED_PACKAGES:
        for depth in ("", "python*/"):
            for packages in glob.glob(f"{glob.escape(folder)}/{depth}{name}"):
                linux.mount("tmpfs", packages, "tmpfs", _NOSUID | _NODEV, "size=64k,nr_inodes=32,mode=755")
                hidden.append(packages)
    return hidden
