"""The whole way: a run's folder in, a file out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

from pydantic import BaseModel

from ftrl import storage
from ftrl.reports.collecting import Tell, report_data
from ftrl.reports.rendering import render
from ftrl.reports.run import open_run_folder


class WrittenReport(BaseModel):
    """A report that was written.

    Attributes:
        path: of the file.
        size: in bytes.
        headline: what came of the run, in a sentence.
        missing: section → why it is not there.
    """

    path: str
    size: int
    headline: str
    missing: dict[str, str]


def write_report(
    run: str,
    out: str | None = None,
    *,
    tasks: Iterable[str] = (),
    evaluations: Iterable[str] = (),
    run_tools: bool = True,
    tell: Tell = lambda section: None,
) -> WrittenReport:
    """Write the report of a run.

    Args:
        run: its folder, local or s3://.
        out: the file; ``report.html`` in the run's folder if left out.
        tasks: sets of tasks that the run does not name.
        evaluations: folders of evaluations that lie elsewhere, in the order in which they are to be compared.
        run_tools: whether tools may be run, in the sandbox.
        tell: is told what is looked at now.

    Raises:
        InputError: there is nothing to report of, or a part of it is broken.
        FtrlError: the sandbox cannot start here.
    """
    opened = open_run_folder(run, tasks=tasks, evaluations=evaluations)
    data = report_data(opened, made=f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC", run_tools=run_tools, tell=tell)
    page = render(data).encode()
    path = out or storage.join(run, "report.html")
    storage.write_bytes(path, page)
    return WrittenReport(path=path, size=len(page), headline=data.overview.headline, missing=data.missing)
