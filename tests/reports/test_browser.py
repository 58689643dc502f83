"""The page in a browser: its scripts draw all of it, complain of nothing, and run nothing that was said."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ftrl.reports import open_run_folder, render, report_data
from tests.reports.small_run import HOSTILE

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("there is no Chromium on this machine, in which the page could be opened")
    return found


@pytest.fixture(scope="module")
def opened(browser: str, small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The document once its scripts have run, and what the browser logged."""
    folder = tmp_path_factory.mktemp("browser")
    (folder / "report.html").write_text(render(report_data(open_run_folder(str(small_run)), run_tools=False)))
    profile = f"--user-data-dir={folder / 'profile'}"
    waiting = ("--virtual-time-budget=3000", "--enable-logging=stderr", "--disable-background-networking")
    command = [browser, *QUIET, *waiting, profile, "--dump-dom", (folder / "report.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


def test_every_section_is_drawn(opened: tuple[str, str]) -> None:
    document = opened[0].partition('<script type="application/json"')[0]
    headings = re.findall(r"<h2[^>]*>([^<]+)</h2>", document)
    assert headings == [
        "At a glance",
        "Evaluation",
        "Trajectories",
        "Rewards and training curves",
        "Construction",
        "Tasks",
        "What changed in the model",
        "Environment and versions",
    ]
    assert document.count('class="line') > 2, "the curves"
    assert document.count("number heat") == 6 + 4 + 1, "cells of the layers, families, and outside of the layers"
    assert not re.search(r"\[object|undefined|NaN", document)


def test_the_page_complains_of_nothing(opened: tuple[str, str]) -> None:
    _, log = opened
    assert "CONSOLE" not in log


def test_what_was_said_is_seen_and_does_nothing(opened: tuple[str, str]) -> None:
    document, _ = opened
    assert "<title>small: a report by ftrl</title>" in document
    assert document.count("<script") == 2
    assert "<img" not in document
    assert html.escape(HOSTILE, quote=False) in document
