"""Where it all happens: namespaces of our own, with a network and a disk for each node.

Whatever is started in them ends with their first process, and whatever is mounted or plugged in is gone with them. They
need root, or a kernel that lets users make namespaces.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]

INSIDE = "FTRL_CHAOS_INSIDE"

HUB = "10.213.0.254"
"""Where a node finds what is no node: S3 and Redis."""

DELAY = ("netem", "delay", "400ms", "200ms", "loss", "2%")
"""What makes a cable slow, where the kernel can delay packets;"""

SHAPING = ("tbf", "rate", "256kbit", "burst", "3000", "latency", "2s")
"""and where it can only let few of them through: the others wait up to two seconds, or are dropped."""

DISK_MB = 512

AS_FIRST = ("sh", "-c", '"$@"; exit $?', "sh")
"""A shell, which is to be the first process of a namespace: it takes note of orphans that end, which else would stay as
zombies."""

APART = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", *AS_FIRST)
"""What a command begins with that is to see no processes but its own. Without it, Ray's drivers find the raylets of all
nodes on their machine, and take the head's."""


def enter() -> None:
    """Begin this program again as the first one of new namespaces; return if that has been done."""
    if os.environ.get(INSIDE):
        return
    os.environ[INSIDE] = "1"
    # Here, and not later: Ray reads it when it is imported.
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    # What kills and what fails elsewhere in the tests. It is no package: to Python, `tests` is what others install.
    paths = [str(TESTS / "rollouts"), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    spaces = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    os.execvp("unshare", ["unshare", *user, *spaces, *AS_FIRST, sys.executable, *sys.argv])


def do(*command: str) -> None:
    """Run a command that must not fail."""
    subprocess.run(command, check=True, capture_output=True, text=True)


class Disk:
    """A file system of a node's own, so small that it can be filled.

    Args:
        folder: where; made here.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        do("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder))
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave not a byte."""
        chunk = b"\0" * 65536
        with self._ballast.open("wb", buffering=0) as file:
            try:
                while file.write(chunk):
                    pass
            except OSError:
                return

    def free(self) -> None:
        """Give it all back."""
        self._ballast.unlink()


class Network:
    """A hub, and for each node a network of its own with a cable to the hub, which can be slow, and cut."""

    def __init__(self) -> None:
        do("mount", "-t", "tmpfs", "tmpfs", "/run")
        Path("/run/netns").mkdir()
        do("ip", "link", "set", "lo", "up")
        do("ip", "link", "add", "hub", "type", "bridge")
        do("ip", "address", "add", f"{HUB}/24", "dev", "hub")
        do("ip", "link", "set", "hub", "up")
        self._addresses: dict[str, str] = {}

    def plug_in(self, node: str) -> str:
        """Make a node's network; its address."""
        address = f"10.213.0.{len(self._addresses) + 1}"
        do("ip", "netns", "add", node)
        do("ip", "link", "add", f"to-{node}", "type", "veth", "peer", "name", "eth0", "netns", node)
        do("ip", "link", "set", f"to-{node}", "master", "hub", "up")
        do(*self.inside(node), "ip", "link", "set", "lo", "up")
        do(*self.inside(node), "ip", "address", "add", f"{address}/24", "dev", "eth0")
        do(*self.inside(node), "ip", "link", "set", "eth0", "up")
        self._addresses[node] = address
        return address

    def inside(self, node: str) -> Sequence[str]:
        """What a command begins with that is to run in a node's network."""
        return ("nsenter", f"--net=/run/netns/{node}")

    def cut(self, node: str) -> None:
        """Nothing comes through."""
        do("ip", "link", "set", f"to-{node}", "down")

    def slow_down(self, node: str) -> str:
        """Packets of both directions come late, if at all; says how."""
        how = DELAY
        if not self._shape(node, "replace", *how):
            how = SHAPING  # a kernel without netem
            assert self._shape(node, "replace", *how)
        return " ".join(how)

    def mend(self, node: str) -> None:
        """The cable is as good as new."""
        do("ip", "link", "set", f"to-{node}", "up")
        self._shape(node, "del")  # there may be nothing to take away

    def _shape(self, node: str, verb: str, *how: str) -> bool:
        """Tell both ends of a cable how packets leave; whether they understood."""
        ends = ([*self.inside(node), "tc", "qdisc", verb, "dev", "eth0"], ["tc", "qdisc", verb, "dev", f"to-{node}"])
        done = [subprocess.run([*end, "root", *how], capture_output=True, check=False) for end in ends]
        return not any(each.returncode for each in done)
