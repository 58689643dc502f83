"""The page in a browser: its scripts draw all of it, complain of nothing, ask for nothing, run nothing that was said.

The check for accessibility needs axe-core: ``npm install --prefix .tools axe-core``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrl.reports import open_run_folder, render, report_data
from tests.reports import chromium
from tests.reports.small_run import HOSTILE

AXE = Path(__file__).resolve().parents[2] / ".tools" / "node_modules" / "axe-core" / "axe.min.js"
SIZES = [pytest.param((1280, 900), id="desktop"), pytest.param((390, 844), id="phone")]
SERIOUS = ("serious", "critical")

EVERYTHING_USED = """
for (const one of document.querySelectorAll("details")) one.open = true;
for (const one of document.querySelectorAll("input[type=radio]")) one.click();
for (const one of document.querySelectorAll("select")) {
  one.selectedIndex = one.options.length - 1;
  one.dispatchEvent(new Event("change"));
  one.selectedIndex = 0;
  one.dispatchEvent(new Event("change"));
}
for (const one of document.querySelectorAll(".entries button")) one.click();
for (const one of document.querySelectorAll("svg[tabindex]")) {
  one.dispatchEvent(new KeyboardEvent("keydown", { key: "End", bubbles: true }));
}
for (const one of document.querySelectorAll("details")) one.open = true;
"""
"""Opens, chooses and reads whatever there is to open, choose and read."""


@pytest.fixture(scope="module")
def page(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("browser") / "report.html"
    page.write_text(render(report_data(open_run_folder(str(small_run)), run_tools=False)))
    return page


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Tab]:
    program = chromium.installed()
    if program is None:
        pytest.skip("there is no Chromium on this machine, in which the page could be opened")
    with chromium.tab(program, tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def document(browser: chromium.Tab, page: Path) -> str:
    """The document once its scripts have run."""
    browser.open(page.as_uri(), width=1280, height=900)
    drawn: str = browser.evaluate("document.documentElement.outerHTML")
    return drawn


def test_every_section_is_drawn(document: str) -> None:
    drawn = document.partition('<script type="application/json"')[0]
    headings = re.findall(r"<h2[^>]*>([^<]+)</h2>", drawn)
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
    assert drawn.count('class="line') > 2, "the curves"
    assert drawn.count("number heat") == 6 + 4 + 1, "cells of the layers, families, and outside of the layers"
    assert not re.search(r"\[object|undefined|NaN", drawn)


@pytest.mark.parametrize("size", SIZES)
def test_the_page_complains_of_nothing_and_asks_for_nothing_whatever_is_clicked(
    browser: chromium.Tab, page: Path, size: tuple[int, int]
) -> None:
    browser.open(page.as_uri(), width=size[0], height=size[1])
    browser.evaluate(EVERYTHING_USED)
    browser.settle()
    for complaint in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
        assert browser.told(complaint) == []
    asked = [one["request"]["url"] for one in browser.told("Network.requestWillBeSent")]
    assert asked == [page.as_uri()]


@pytest.mark.parametrize("size", SIZES)
def test_the_page_is_never_wider_than_the_window(browser: chromium.Tab, page: Path, size: tuple[int, int]) -> None:
    browser.open(page.as_uri(), width=size[0], height=size[1])
    browser.evaluate(EVERYTHING_USED)
    browser.settle()
    assert browser.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_what_was_said_is_seen_and_does_nothing(document: str) -> None:
    assert "<title>small: a report by ftrl</title>" in document
    assert document.count("<script") == 2
    assert "<img" not in document
    assert html.escape(HOSTILE, quote=False) in document


@pytest.fixture
def axe() -> str:
    """A script that checks the page that is open, for accessibility."""
    if not AXE.exists():
        pytest.skip("axe-core is not in .tools; npm install --prefix .tools axe-core gets it")
    return f"{AXE.read_text()}; axe.run()"


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_check_for_accessibility_finds_nothing_serious(
    browser: chromium.Tab, axe: str, page: Path, size: tuple[int, int], dark: bool
) -> None:
    browser.open(page.as_uri(), width=size[0], height=size[1], dark=dark)
    browser.evaluate(EVERYTHING_USED)
    browser.settle()
    found: dict[str, Any] = browser.evaluate(axe)
    assert len(found["passes"]) > 20, "it looked"
    serious = {
        one["id"]: (one["help"], [node["html"][:200] for node in one["nodes"][:5]])
        for one in found["violations"]
        if one["impact"] in SERIOUS
    }
    assert serious == {}


def test_the_check_for_accessibility_can_tell(browser: chromium.Tab, axe: str, page: Path) -> None:
    browser.open(page.as_uri(), width=1280, height=900)
    browser.evaluate("document.querySelectorAll('label').forEach((one) => one.remove())")
    found = browser.evaluate(axe)
    assert "select-name" in {one["id"] for one in found["violations"] if one["impact"] in SERIOUS}
