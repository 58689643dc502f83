"""Which layers of isolation this machine grants, as a worker finds them."""

from __future__ import annotations

from ftrl.errors import FtrlError
from ftrl.sandbox.calls import Limits
from ftrl.sandbox.worker_process import LayerReport, WorkerFailure, WorkerProcess


def isolation_report() -> list[LayerReport]:
    """The layers that hold in a worker started here and now, and why the others do not.

    Raises:
        FtrlError: a worker process cannot be started here.
    """
    try:
        worker = WorkerProcess(Limits(), legacy_namespace=False)
    except WorkerFailure as failure:
        raise FtrlError(f"the sandbox cannot start: {failure}") from failure
    worker.release()
    return worker.layers
