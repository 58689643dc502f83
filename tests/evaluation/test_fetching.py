"""``ftrl eval fetch`` and ``ftrl eval suites``, against a server that has the paths of the published repositories."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ftrl.commands.evaluate import group
from ftrl.errors import FtrlError, InputError
from ftrl.evaluation import RoTBench, SuiteConfig, TauBench, fetching, inspect_tasks
from ftrl.evaluation.bfcl import official
from ftrl.evaluation.bfcl.data import CATEGORIES
from ftrl.evaluation.fetching import GITHUB, Published, fetch, fetched, published_files
from ftrl.evaluation.sources import SOURCES
from ftrl.evaluation.tau_bench import scripted_user
from tests.http_server import Answer, Asked, HttpServer

NOBODY = "http://127.0.0.1:9"

ROWS = b'[{"question": "a"}]'


class RawServer(HttpServer):
    """Serves files; ``trouble`` holds what is answered first instead."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.trouble: list[Answer] = []
        self.asked: list[str] = []
        super().__init__()

    def reply(self, asked: Asked) -> Answer:
        self.asked.append(asked.path)
        if self.trouble:
            return self.trouble.pop(0)
        data = self.files.get(asked.path)
        return Answer(b"404: Not Found", 404) if data is None else Answer(data)


@pytest.fixture
def raw() -> Iterator[RawServer]:
    opened = RawServer()
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for fetched data; and nobody waits long."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fetching, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(fetching, "LONGEST_PAUSE", 0.0)
    return tmp_path / "cache" / "ftrl" / "benchmarks"


def git_id(data: bytes) -> str:
    return hashlib.sha1(b"blob " + str(len(data)).encode() + b"\0" + data).hexdigest()


@pytest.fixture
def small(raw: RawServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A small published benchmark in place of RoTBench: two files, and where the server has them."""
    contents = {"First_Turn/clean.json": ROWS, "Third_Turn/clean.json": b"[]"}
    files = {name: git_id(data) for name, data in contents.items()}
    monkeypatch.setattr(
        fetching,
        "published_files",
        lambda: {"rotbench": Published(repository="some/body", commit="c0ffee", folder="Data", files=files)},
    )
    raw.files = {f"/some/body/c0ffee/Data/{name}": data for name, data in contents.items()}
    return contents


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, list(arguments))


def serve(raw: RawServer, suite: str, folder: Path) -> None:
    """Serve a folder with a benchmark's files as its repository does."""
    files = published_files()[suite]
    base = f"/{files.repository}/{files.commit}/{files.folder}"
    raw.files |= {f"{base}/{name}": (folder / name).read_bytes() for name in files.files}


# What is published


def test_the_published_rotbench_is_fetched_and_found_by_the_suite(shared: Path, raw: RawServer, cache: Path) -> None:
    serve(raw, "rotbench", shared / "data" / "rotbench")
    got = fetch("rotbench", mirror=raw.address)
    assert (got.files, got.came, got.data) == (10, 10, str(cache / "rotbench"))
    config = SuiteConfig(suite="rotbench", model="openai/x", out="out")
    assert len(RoTBench().load(config.data)) == len(RoTBench().load(str(shared / "data" / "rotbench")))
    assert len(inspect_tasks.rotbench().dataset) == len(RoTBench().load(config.data))


def test_the_published_tau_bench_is_fetched_and_found_by_the_suite(shared: Path, raw: RawServer, cache: Path) -> None:
    serve(raw, "tau-bench", shared / "data" / "tau_bench")
    got = fetch("tau-bench", mirror=raw.address)
    assert (got.files, got.data) == (13, str(cache / "tau-bench" / "tau-bench.jsonl"))
    assert len(TauBench(scripted_user([])).load(fetched("tau-bench"))) == 165


def test_of_bfcl_is_fetched_just_what_the_suite_reads() -> None:
    data = {f"bfcl_eval/data/BFCL_v4_{name}.json" for name in CATEGORIES}
    answers = {f"bfcl_eval/data/possible_answer/BFCL_v4_{name}.json" for name in CATEGORIES if name != "irrelevance"}
    classes = [f"{official._CLASSES}.{name}" for names in official._FILES.values() for name in names]
    sources = {f"{name.replace('.', '/')}.py" for name in (*official._CHECKER, *official._EXECUTION, *classes)}
    files = set(published_files()["bfcl"].files)
    assert files >= data | answers | sources
    assert {name.rpartition("/")[0] for name in files - data - answers - sources} == {
        "bfcl_eval/data/multi_turn_func_doc"
    }


def test_every_suite_but_our_own_can_be_fetched_from_one_commit_of_a_public_repository() -> None:
    assert set(published_files()) == set(SOURCES) - {"general"}
    for suite, files in published_files().items():
        assert len(files.commit) == 40
        assert files.repository in SOURCES[suite].origin
        assert files.files
        assert all(len(id_) == 40 for id_ in files.files.values())
        assert f"`ftrl eval fetch {suite}`" in SOURCES[suite].how


# How it comes


def test_the_command_says_what_came_from_where_under_which_licence(
    raw: RawServer, small: dict[str, bytes], cache: Path
) -> None:
    result = run("fetch", "rotbench", "--mirror", raw.address)
    assert result.exit_code == 0, result.output
    assert "rotbench: 2 files, 2 of them fetched now, from some/body at c0ffee" in result.stdout
    assert "licence: Apache-2.0" in result.stdout
    assert "ftrl eval rotbench --model" in result.stdout
    assert "rotbench: 1/2 files\nrotbench: 2/2 files\n" in result.stderr
    assert {name: (cache / "rotbench" / name).read_bytes() for name in small} == small
    assert json.loads((cache / "rotbench" / "SOURCE.json").read_text())["commit"] == "c0ffee"


def test_what_is_there_is_not_fetched_again_unless_it_was_changed(
    raw: RawServer, small: dict[str, bytes], cache: Path
) -> None:
    fetch("rotbench", mirror=raw.address)
    raw.asked.clear()
    assert json.loads(run("fetch", "rotbench", "--mirror", raw.address, "--json").stdout)["came"] == 0
    assert raw.asked == []
    (cache / "rotbench" / "First_Turn" / "clean.json").write_bytes(b"[]")
    assert fetch("rotbench", mirror=raw.address).came == 1
    assert (cache / "rotbench" / "First_Turn" / "clean.json").read_bytes() == ROWS


def test_it_may_be_put_anywhere(raw: RawServer, small: dict[str, bytes], bucket: str, cache: Path) -> None:
    result = run("fetch", "rotbench", "--mirror", raw.address, "--out", f"{bucket}/rotbench")
    assert result.exit_code == 0, result.output
    assert f"ftrl eval rotbench {bucket}/rotbench --model" in result.stdout
    assert fetch("rotbench", f"{bucket}/rotbench", mirror=raw.address).came == 0
    assert not cache.exists()


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(Answer(b"slow down", 429), id="429"),
        pytest.param(Answer(b"oops", 503), id="503"),
        pytest.param(Answer(ROWS, cut=True), id="cut"),
    ],
)
def test_trouble_on_the_way_is_tried_again(raw: RawServer, small: dict[str, bytes], trouble: Answer) -> None:
    raw.trouble = [trouble, trouble]
    assert fetch("rotbench", mirror=raw.address).came == 2
    assert len(raw.asked) == 4


def test_a_fetch_that_ends_half_way_leaves_no_data_to_play_and_goes_on(
    raw: RawServer, small: dict[str, bytes], cache: Path
) -> None:
    second = raw.files.pop("/some/body/c0ffee/Data/Third_Turn/clean.json")
    with pytest.raises(FtrlError, match=r"Third_Turn/clean\.json: there is no such file on this server"):
        fetch("rotbench", mirror=raw.address)
    with pytest.raises(InputError, match="not here, or not all of it: `ftrl eval fetch rotbench` gets it"):
        fetched("rotbench")
    raw.files["/some/body/c0ffee/Data/Third_Turn/clean.json"] = second
    assert fetch("rotbench", mirror=raw.address).came == 1
    assert fetched("rotbench") == str(cache / "rotbench")


def test_what_is_not_the_published_file_is_not_written(raw: RawServer, small: dict[str, bytes], cache: Path) -> None:
    raw.files["/some/body/c0ffee/Data/First_Turn/clean.json"] = b"<html>Please log in</html>"
    with pytest.raises(FtrlError, match="what came is not the published file"):
        fetch("rotbench", mirror=raw.address)
    assert not (cache / "rotbench").exists()


def test_without_a_network_it_says_how_to_get_the_data_otherwise(small: dict[str, bytes]) -> None:
    error = run("fetch", "rotbench", "--mirror", NOBODY).exception
    assert isinstance(error, FtrlError)
    assert error.exit_code == 1
    assert f"{NOBODY}/some/body/c0ffee/Data/First_Turn/clean.json: could not be had" in str(error)
    assert "HTTPS_PROXY" in str(error)
    assert "`ftrl eval fetch rotbench --out DIR`" in str(error)


def test_data_of_another_commit_is_not_played(
    raw: RawServer, small: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch("rotbench", mirror=raw.address)
    (files,) = fetching.published_files().values()
    newer = files.model_copy(update={"commit": "decade"})
    monkeypatch.setattr(fetching, "published_files", lambda: {"rotbench": newer})
    with pytest.raises(InputError, match="ftrl eval fetch rotbench"):
        fetched("rotbench")


@pytest.mark.parametrize(
    ("suite", "message"),
    [("other", "there are ftrl-test, rotbench, tau-bench"), ("general", "nothing to fetch for general: it comes with")],
)
def test_what_cannot_be_fetched_is_refused(suite: str, message: str) -> None:
    error = run("fetch", suite, "--mirror", NOBODY).exception
    assert isinstance(error, InputError)
    assert message in str(error)


def test_without_a_mirror_it_is_asked_of_github() -> None:
    assert GITHUB == "https://raw.githubusercontent.com"


# The list


def test_the_list_tells_source_and_licence_of_every_suite_and_whether_it_is_here(
    raw: RawServer, small: dict[str, bytes], cache: Path
) -> None:
    assert json.loads(run("suites", "--json").stdout)["rotbench"]["here"] is None
    fetch("rotbench", mirror=raw.address)
    told = json.loads(run("suites", "--json").stdout)
    assert set(told) == set(SOURCES)
    assert all(one["licence"] and one["origin"] for one in told.values())
    assert told["rotbench"]["here"] == str(cache / "rotbench")
    shown = run("suites").stdout
    assert f"  here     {cache / 'rotbench'}" in shown
    assert "rotbench: RoTBench" in shown
