"""The record of what was asked and answered.

An exchange is kept under the sha256 of its question: model, messages, schema, settings, and ``sample`` (which of
several answers to the same question). Two questions with one key are one question, and it is paid once.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import IO, Any, Literal, Protocol, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from ftrl import storage
from ftrl.errors import FtrlError, InputError

FORMAT = 1
"""Version of the record; a recording of another one is refused."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(_Record):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class Usage(_Record):
    """Tokens of one exchange, as the provider counted them.

    Attributes:
        input: tokens read, without those from the provider's cache.
        output: tokens written, thinking included.
        cache_read: tokens read from the provider's cache.
        cache_write: tokens written to it.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.input + self.output + self.cache_read + self.cache_write


class Question(_Record):
    """All that could change an answer.

    Attributes:
        model: provider and name.
        settings: temperature and the like.
        messages: the conversation so far; its last message is the user's.
        answer: JSON Schema of the answer; null for free text.
        sample: 0, or which further answer to the same question.
    """

    model: str
    settings: dict[str, Any]
    messages: tuple[Message, ...]
    answer: dict[str, Any] | None = None
    sample: int = 0

    @property
    def key(self) -> str:
        """The sha256 of the canonical JSON, in hexadecimal."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Exchange(_Record):
    """A question and its answer, with what it cost.

    Attributes:
        key: of the question.
        stage: who asked.
        item: for which item of the run.
        prompt: name and version of the prompt file.
        text: what the model answered.
        stop: why it stopped: ``stop``, ``max_tokens``, ``content_filter``, …
        usage: null where the provider does not tell.
        usd: what it cost; null where no price is known.
        seconds: wall clock, retries included.
    """

    format: int = FORMAT
    key: str
    stage: str
    item: int
    prompt: str
    question: Question
    text: str
    stop: str
    usage: Usage | None = None
    usd: float | None = None
    seconds: float = 0.0


class Exchanges(Protocol):
    """A record of exchanges: a folder that is added to, or a recording that is played back."""

    async def find(self, question: Question) -> Exchange | None:
        """The exchange of a question; None where it was never asked. A recording raises instead."""

    async def keep(self, exchange: Exchange) -> None:
        """Write an exchange down; when this returns, it survives whatever happens to this process."""


class ExchangeFolder:
    """A record in a folder, local or on S3: a JSON file each, which appears whole or not at all."""

    def __init__(self, path: str) -> None:
        self.path = path

    async def find(self, question: Question) -> Exchange | None:
        """The exchange of a question, if it was asked before."""
        return await asyncio.to_thread(self._read, question.key)

    async def keep(self, exchange: Exchange) -> None:
        """Write an exchange down."""
        data = exchange.model_dump_json(indent=1).encode("utf-8", "surrogatepass")
        await asyncio.to_thread(storage.write_bytes, self._file(exchange.key), data)

    def __iter__(self) -> Iterator[Exchange]:
        """All exchanges, by key."""
        fs, inner = storage.filesystem(self.path)
        fs.invalidate_cache()
        for name in sorted(fs.glob(f"{inner}/??/*.json")):
            yield _exchange(fs.cat_file(name), name)

    def _file(self, key: str) -> str:
        return storage.join(self.path, key[:2], f"{key}.json")

    def _read(self, key: str) -> Exchange | None:
        path = self._file(key)
        fs, inner = storage.filesystem(path)
        try:
            data = fs.cat_file(inner)
        except FileNotFoundError:
            return None
        return _exchange(data, path)


class Recording:
    """Exchanges that are played back; no model is asked.

    Args:
        name: of the file, for whoever misses something in it.
        exchanges: by key.
        header: what the run that was recorded wrote down about itself.
    """

    def __init__(self, name: str, exchanges: Mapping[str, Exchange], header: Mapping[str, Any]) -> None:
        self.name = name
        self.exchanges = exchanges
        self.header = header

    async def find(self, question: Question) -> Exchange | None:
        """The exchange of a question.

        Raises:
            FtrlError: the recording does not have it.
        """
        exchange = self.exchanges.get(question.key)
        if exchange is None:
            first = question.messages[-1].content.strip().splitlines()[0][:80]
            raise FtrlError(
                f"the recording {self.name} has no answer to what is asked here ({question.model}: '{first} …'); it "
                "was made with other prompts, inputs or settings: give the same ones, or record anew"
            )
        return exchange

    async def keep(self, exchange: Exchange) -> None:
        """Nothing: what is played back is there already."""


def read_recording(path: str) -> Recording:
    """Open a recording.

    Raises:
        InputError: there is no such file, or it is not a recording that this version reads.
    """
    lines = _lines(path)
    _, header = next(lines, (0, {}))
    if header.get("recording") != "ftrl-exchanges" or header.get("format") != FORMAT:
        raise InputError("this is no recording of exchanges that this version can play", file=path, line=1)
    exchanges = {}
    for number, line in lines:
        exchange = _exchange(json.dumps(line).encode(), path, number)
        if exchange.key != exchange.question.key:
            raise InputError("the key is not that of the question", file=path, line=number, field="key")
        exchanges[exchange.key] = exchange
    return Recording(path, exchanges, header)


def record_to(path: str, exchanges: Iterator[Exchange], header: Mapping[str, Any]) -> int:
    """Pack exchanges into one file, a line each, ordered by key; returns how many.

    Args:
        path: of the recording; compressed if it ends in ``.gz``.
        exchanges: in the order of their keys.
        header: written into the first line, for whoever plays it back.
    """
    count = 0
    with storage.writing(path) as plain, _packed(plain, path) as file:
        first = {"recording": "ftrl-exchanges", "format": FORMAT, **header}
        file.write(json.dumps(first, ensure_ascii=False, sort_keys=True).encode() + b"\n")
        for exchange in exchanges:
            file.write(exchange.model_dump_json().encode("utf-8", "surrogatepass") + b"\n")
            count += 1
    return count


def _packed(file: IO[bytes], path: str) -> AbstractContextManager[IO[bytes]]:
    """What is written to a recording on its way to the file; without a time, so that the same is the same."""
    if path.endswith(".gz"):
        packed: Any = gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0)
        return cast(AbstractContextManager[IO[bytes]], packed)
    return nullcontext(file)


def _lines(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    if not path.endswith(".gz"):
        yield from storage.json_lines(path)
        return
    try:
        texts = gzip.decompress(storage.read_bytes(path)).splitlines()
        for number, text in enumerate(texts, start=1):
            yield number, json.loads(text)
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"this is no compressed recording ({error})", file=path) from error


def _exchange(data: bytes, name: str, line: int | None = None) -> Exchange:
    try:
        return Exchange.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InputError(f"this is no exchange: {first['msg']}", file=name, line=line, field=field) from error
