"""Opening a run in Inspect's viewer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack

from ftrl.errors import FtrlError, InputError
from ftrl.reports.inspect_logs import WrittenLog, export_logs
from ftrl.reports.run import open_run_folder
from ftrl.sandbox import Sandbox


def write_logs(
    run: str,
    folder: str,
    *,
    tasks: Iterable[str] = (),
    evaluations: Iterable[str] = (),
    most: int | None = None,
    run_tools: bool = True,
) -> list[WrittenLog]:
    """Write the logs of a run's episodes.

    Args:
        run: its folder, local or s3://.
        folder: where to, on this machine.
        tasks: sets of tasks that the run does not name.
        evaluations: folders of evaluations that lie elsewhere.
        most: episodes of a set at most.
        run_tools: whether tools may be run, in the sandbox.

    Raises:
        InputError: the run has no episodes, or a part of it is broken.
        FtrlError: the sandbox cannot start here.
    """
    opened = open_run_folder(run, tasks=tasks, evaluations=evaluations)
    with ExitStack() as stack:
        second_looks = run_tools and len(opened.tasks) and opened.episodes
        sandbox = stack.enter_context(Sandbox(workers=1)) if second_looks else None
        written = export_logs(opened, folder, most=most, sandbox=sandbox)
    if not written:
        raise InputError("nobody has played an episode in this run yet, so there is nothing to view", file=run)
    return written


def run_viewer(folder: str, port: int) -> None:
    """Run Inspect's viewer on a folder of logs until it is stopped.

    It shows what models and tools said as plain text, and listens on this machine only.

    Raises:
        FtrlError: it ended by itself.
    """
    command = [sys.executable, "-m", "inspect_ai", "view", "start", "--log-dir", folder, "--port", str(port)]
    try:
        ended = subprocess.run([*command, "--no-trust-content"], check=False).returncode
    except KeyboardInterrupt:
        return  # how it is stopped
    if ended:
        raise FtrlError(f"Inspect's viewer ended with {ended}; is port {port} taken? Choose another with --port")
