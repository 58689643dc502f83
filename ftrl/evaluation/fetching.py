"""Benchmarks' data from where its authors publish it: ``ftrl eval fetch``.

``published_files.json`` names each file by repository, commit and the id that git gives its content. What comes is held
against that id before it is written, so a benchmark is the same for everybody, wherever it came from. Files that are
there already are not fetched again; ``SOURCE.json`` is written last, and says that all of them are there.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path

import aiohttp
import fsspec
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from ftrl import storage
from ftrl.errors import FtrlError, InputError
from ftrl.evaluation.general.suite import BUILT_IN
from ftrl.evaluation.sources import SOURCES
from ftrl.rollouts.trajectory import Record

GITHUB = "https://raw.githubusercontent.com"

ATTEMPTS = 4
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 20.0
"""Seconds before a file is asked for again; the pauses double."""

CONNECT_SECONDS, SILENT_SECONDS = 20.0, 60.0

_MARK = "SOURCE.json"
_UNREACHABLE = (aiohttp.ClientError, asyncio.TimeoutError, OSError)
_TOO_MANY = 429


class Published(Record):
    """A benchmark's files, as one commit of a public repository on GitHub has them.

    Attributes:
        repository: ``OWNER/NAME``.
        commit: its id.
        folder: of the repository, in which the files lie.
        data: what the suite is given, below that folder; the folder itself if empty.
        files: path below the folder → git's id of its content.
    """

    repository: str
    commit: str
    folder: str
    data: str = ""
    files: dict[str, str]


class Fetched(Record):
    """What a fetch has left.

    Attributes:
        suite: name of the benchmark.
        licence: of the data.
        repository: see ``Published``.
        commit: see ``Published``.
        folder: where the files lie now.
        data: what ``ftrl eval SUITE`` is given; finds by itself, if the folder is the usual one.
        files: how many there are.
        came: how many of them were fetched now; the others were there.
    """

    suite: str
    licence: str
    repository: str
    commit: str
    folder: str
    data: str
    files: int
    came: int


def published_files() -> Mapping[str, Published]:
    """Suite → its files, of those that can be fetched."""
    text = resources.files(__package__).joinpath("published_files.json").read_text(encoding="utf-8")
    return {suite: Published.model_validate(one) for suite, one in json.loads(text).items()}


def usual_folder(suite: str) -> str:
    """Where a benchmark's data is looked for, and put, if nobody says otherwise."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return storage.join(cache, "ftrl", "benchmarks", suite)


def fetched(suite: str) -> str:
    """What a suite is given whose data was fetched to the usual folder.

    Raises:
        InputError: it was not, or not all of it, or it is the data of another version.
    """
    if (data := found(suite)) is None:
        raise InputError(
            f"the data of {suite} is not here, or not all of it: `ftrl eval fetch {suite}` gets it "
            f"({SOURCES[suite].licence}); or say where it is: ftrl eval {suite} DATA …",
            file=usual_folder(suite),
        )
    return data


def found(suite: str) -> str | None:
    """The same, or ``None``; what comes with ``ftrl`` is always there."""
    if (files := published_files().get(suite)) is None:
        return BUILT_IN
    folder = usual_folder(suite)
    mark = storage.join(folder, _MARK)
    if storage.exists(mark) and json.loads(storage.read_bytes(mark))["commit"] == files.commit:
        return _given(folder, files)
    return None


def fetch(
    suite: str, out: str | None = None, *, mirror: str | None = None, tell: Callable[[int, int], None] | None = None
) -> Fetched:
    """Get a benchmark's data.

    Args:
        suite: name of the benchmark.
        out: where to, local or s3://; the usual folder, where the suite finds it, if left out.
        mirror: a server that has the same paths as ``GITHUB``; that one if left out.
        tell: is told how many files are there, and of how many.

    Raises:
        InputError: there is nothing of that name to fetch.
        FtrlError: it could not be had; what came is kept, and not fetched again.
    """
    if suite not in SOURCES:
        raise InputError(f"there is no suite '{suite}'; there are {', '.join(SOURCES)}")
    if (files := published_files().get(suite)) is None:
        raise InputError(f"there is nothing to fetch for {suite}: {SOURCES[suite].how}")
    folder = out or usual_folder(suite)
    base = f"{(mirror or GITHUB).rstrip('/')}/{files.repository}/{files.commit}/{files.folder}"
    came = 0
    for number, (name, id_) in enumerate(files.files.items(), start=1):
        path = storage.join(folder, name)
        if not (storage.exists(path) and _git_id(storage.read_bytes(path)) == id_):
            storage.write_bytes(path, _get(f"{base}/{name}", id_, suite))
            came += 1
        if tell is not None:
            tell(number, len(files.files))
    got = Fetched(
        suite=suite,
        licence=SOURCES[suite].licence,
        repository=files.repository,
        commit=files.commit,
        folder=folder,
        data=_given(folder, files),
        files=len(files.files),
        came=came,
    )
    mark = got.model_dump_json(indent=2, include={"suite", "licence", "repository", "commit"})
    storage.write_bytes(storage.join(folder, _MARK), mark.encode())
    return got


def _given(folder: str, files: Published) -> str:
    return storage.join(folder, files.data) if files.data else folder


def _get(address: str, id_: str, suite: str) -> bytes:
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS)
    http = fsspec.filesystem("http", client_kwargs={"trust_env": True, "timeout": timeout})
    attempts = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential_jitter(FIRST_PAUSE, LONGEST_PAUSE),
        retry=retry_if_exception(_may_pass),
        reraise=True,
    )
    try:
        data: bytes = attempts(http.cat_file, address)
    except FileNotFoundError as error:
        raise FtrlError(f"{address}: there is no such file on this server") from error
    except aiohttp.ClientResponseError as error:
        raise FtrlError(f"{address}: the server answers {error.status} {error.message}; try again later") from error
    except _UNREACHABLE as error:
        raise FtrlError(
            f"{address}: could not be had ({error or type(error).__name__}). Behind a proxy, set HTTPS_PROXY. Without "
            f"a network, run `ftrl eval fetch {suite} --out DIR` where there is one, bring DIR here, and name it: "
            f"ftrl eval {suite} DIR …"
        ) from error
    if (theirs := _git_id(data)) != id_:
        raise FtrlError(
            f"{address}: what came is not the published file (git calls it {theirs}, not {id_}); something on the way "
            "answers for the server: a proxy, or a page that wants a login"
        )
    return data


def _may_pass(error: BaseException) -> bool:
    """Whether asking again may help: nobody there, a connection that broke, a server that is busy."""
    if isinstance(error, FileNotFoundError):
        return False
    if isinstance(error, aiohttp.ClientResponseError):
        return error.status >= 500 or error.status == _TOO_MANY
    return isinstance(error, _UNREACHABLE)


def _git_id(data: bytes) -> str:
    """What git calls this content."""
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data), usedforsecurity=False).hexdigest()
