"""What this machine, or a running cluster, can run, what is missing, and how to get it.

Comes in: nothing but the machine; for a cluster, a run's configuration. Goes out: ``Check`` records, in reading order.

* A check looks and never changes anything. It imports no engine: versions come from package metadata, a
  running Ray cluster from Ray's address file, GPUs from nvidia-smi.
* ``cluster.examine_cluster`` asks each node of a cluster to look at itself, and holds the answers against each other
  and against what the run ``needs``. It alone writes: a file to each path that the run writes to, removed again.
* ``missing`` means that the quickstart, or the run, cannot run; ``warning``: something will be slower or less safe.
* What the packages' versions should be is asked of our own metadata, so the answer is written down once.
"""

from __future__ import annotations

from ftrl.doctor.check import Check, Status
from ftrl.doctor.machine import check_machine
from ftrl.doctor.software import check_software
from ftrl.doctor.surroundings import check_gpus, check_isolation, check_ray, check_variables


def examine() -> list[Check]:
    """Every check of this machine; ``missing`` ones keep the quickstart from running."""
    return [
        *check_machine(),
        *check_software(),
        *check_gpus(),
        *check_ray(),
        *check_isolation(),
        *check_variables(),
    ]


__all__ = ["Check", "Status", "examine"]
