"""The page: one file that fetches nothing, in which nothing that was said can do anything."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ftrl.reports import ReportData, open_run_folder, render, report_data
from ftrl.rollouts import TrajectoryStore
from tests.reports.small_run import HOSTILE, store_episodes


@pytest.fixture(scope="module")
def data(small_run: Path) -> ReportData:
    return report_data(open_run_folder(str(small_run)), made="2026-01-01 00:00 UTC", run_tools=False)


class Elements(HTMLParser):
    """Every element with its attributes, and the text of every script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "script":
            self.scripts.append(data)


def test_what_a_tool_or_a_model_said_stays_data(data: ReportData) -> None:
    page = render(data)
    assert HOSTILE not in page
    elements = Elements(page)
    assert [tag for tag, _ in elements.found].count("script") == 2, "the data and our own"
    assert not [tag for tag, _ in elements.found if tag == "img"]
    read = json.loads(elements.scripts[0])
    said = [turn["text"] for group in read["trajectories"]["groups"] for turn in group["episodes"][0]["turns"]]
    assert HOSTILE in said, "and arrives as it was said"


def test_the_data_block_has_no_character_that_markup_is_made_of(data: ReportData) -> None:
    block = Elements(render(data)).scripts[0]
    assert not re.search(r"[<>&\u2028\u2029]", block)
    assert block.isascii()


def test_a_hostile_name_of_a_run_stays_text(data: ReportData) -> None:
    overview = data.overview.model_copy(update={"name": "</title><script>alert(1)</script>"})
    page = render(data.model_copy(update={"overview": overview}))
    assert "<script>alert" not in page


def test_the_policy_of_the_page_allows_its_own_script_and_style_and_nothing_else(data: ReportData) -> None:
    page = render(data)
    policy = next(attributes["content"] for tag, attributes in Elements(page).found if "http-equiv" in attributes)
    script = page.rpartition("<script>")[2].partition("</script>")[0]
    style = page.partition("<style>")[2].partition("</style>")[0]

    def of(text: str) -> str:
        return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert policy == (
        f"default-src 'none'; script-src '{of(script)}'; style-src '{of(style)}'; base-uri 'none'; form-action 'none'"
    )


def test_nothing_in_the_page_asks_for_anything_from_anywhere(data: ReportData) -> None:
    for tag, attributes in Elements(render(data)).found:
        assert not {"src", "srcset", "action", "data"} & set(attributes), tag
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        assert (attributes.get("href") or "#").startswith("#")
    ways = r"@import|url\(|fetch\(|XMLHttpRequest|innerHTML|outerHTML|insertAdjacent|document\.write"
    assert not re.search(ways, render(data))


def test_equal_runs_have_equal_reports_byte_by_byte(small_run: Path, data: ReportData) -> None:
    again = report_data(open_run_folder(str(small_run)), made="2026-01-01 00:00 UTC", run_tools=False)
    assert render(again) == render(data)


def test_the_page_stays_small_whatever_was_said(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = copied / "evaluation/before/trajectories"
    said = {"role": "assistant", "content": "x" * 3_000_000, "tool_calls": None}
    long = [one.model_copy(update={"messages": (*one.messages[:-1], said)}) for one in TrajectoryStore.open(str(store))]
    shutil.rmtree(store)
    store_episodes(store, long, "before")
    monkeypatch.setattr("ftrl.reports.task_browser.MOST_CHARACTERS", 8_000)
    data = report_data(open_run_folder(str(copied)), run_tools=False)
    assert data.tasks is not None
    assert 0 < len(data.tasks.tasks) < data.tasks.of == 8
    page = render(data)
    assert len(page) < 1_000_000
    assert "more characters are not shown" in page


def test_numbers_that_json_does_not_know_are_no_data(data: ReportData) -> None:
    (iteration,) = data.training
    broken = iteration.model_copy(update={"others": (("x", float("nan"), 0.0),)})
    with pytest.raises(ValueError, match="not JSON compliant"):
        render(data.model_copy(update={"training": (broken,)}))
