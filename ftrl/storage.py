"""Files, local or on S3, behind one path string.

Every path that the program takes may be a local path or ``s3://bucket/key``. Credentials, endpoint and region
come from the usual AWS environment. A file written here appears whole or not at all.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import fsspec

from ftrl.errors import InputError


def filesystem(path: str | os.PathLike[str]) -> tuple[Any, str]:
    """The fsspec filesystem that holds ``path``, and the path as that filesystem spells it."""
    text = os.fspath(path)
    fs, inner = fsspec.core.url_to_fs(text)
    return fs, inner


def is_local(path: str | os.PathLike[str]) -> bool:
    """Whether ``path`` lies on this machine's filesystem."""
    return "://" not in os.fspath(path) or os.fspath(path).startswith("file://")


def join(base: str | os.PathLike[str], *parts: str) -> str:
    """``base`` with ``parts`` below it, for local and s3:// paths alike."""
    return "/".join([os.fspath(base).rstrip("/"), *parts])


def exists(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file or folder at ``path``."""
    fs, inner = filesystem(path)
    return bool(fs.exists(inner))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The whole file.

    Raises:
        InputError: there is no such file.
    """
    fs, inner = filesystem(path)
    try:
        return bytes(fs.cat_file(inner))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError("there is no such file", file=os.fspath(path)) from error


def json_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSONL file with their 1-based line numbers, one at a time; empty lines are passed over.

    Raises:
        InputError: there is no such file, or a line is not a JSON object.
    """
    name = os.fspath(path)
    fs, inner = filesystem(path)
    if not fs.isfile(inner):
        raise InputError("there is no such file", file=name)
    with fs.open(inner, "rb") as file:
        for number, text in enumerate(file, start=1):
            if not text.strip():
                continue
            try:
                value = json.loads(text)
            except ValueError as error:
                raise InputError(f"this line is not JSON ({error})", file=name, line=number) from error
            if not isinstance(value, dict):
                raise InputError("this line is not a JSON object", file=name, line=number)
            yield number, value


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file whole or not at all."""
    with writing(path) as file:
        file.write(data)


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A binary file to write to; it appears under ``path`` when the block ends well, and not at all otherwise.

    A local file comes by a rename, an S3 object by completing its upload.
    """
    fs, inner = filesystem(path)
    if not is_local(path):
        remote = fs.open(inner, "wb", autocommit=False)
        try:
            yield remote
            remote.close()
            remote.commit()
        except BaseException:
            remote.discard()
            raise
        return
    target = Path(inner)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_version(path: str | os.PathLike[str]) -> tuple[bytes, str] | None:
    """A file's content and a tag of just this version of it; nothing if there is no such file."""
    fs, inner = filesystem(path)
    try:
        if is_local(path):
            data = Path(inner).read_bytes()
            return data, _tag_of(data)

        async def get() -> tuple[bytes, str]:
            bucket, key, _ = fs.split_path(inner)
            answer = await fs._call_s3("get_object", Bucket=bucket, Key=key)
            return await answer["Body"].read(), answer["ETag"]

        found: tuple[bytes, str] = fsspec.asyn.sync(fs.loop, get)
        return found
    except (FileNotFoundError, NotADirectoryError):
        return None


def replace_version(path: str | os.PathLike[str], data: bytes, tag: str | None) -> str | None:
    """Write a file if it is still the version with this tag (None: if there is none); many may try at the same time.

    Locally a lock beside the file sees to it, on S3 a conditional write: the server must know those, as S3 does.

    Returns:
        The tag of what was written; nothing if somebody else was first. After a lost connection that may have been
        ourselves: read the file to know.
    """
    fs, inner = filesystem(path)
    if is_local(path):
        target = Path(inner)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.with_name(f".{target.name}.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            now = _tag_of(target.read_bytes()) if target.exists() else None
            if now != tag:
                return None
            write_bytes(path, data)
            return _tag_of(data)
    bucket, key, _ = fs.split_path(inner)
    condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
    try:
        answer = fs.call_s3("put_object", Bucket=bucket, Key=key, Body=data, **condition)
    except OSError as error:
        if _s3_code(error) in _WRITTEN_BY_ANOTHER:
            return None
        raise
    finally:
        fs.invalidate_cache(inner)
    written: str = answer["ETag"]
    return written


def is_outage(path: str | os.PathLike[str], error: BaseException) -> bool:
    """Whether an error says that ``path``, on S3, could not be reached or answered with an error of its own."""
    if is_local(path):
        return False
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError, NoCredentialsError

    if isinstance(error, (FileNotFoundError, PermissionError, NoCredentialsError)):
        return False
    return isinstance(error, (OSError, ClientError, ConnectionError, HTTPClientError))


def s3_fault(error: BaseException) -> str | None:
    """What S3's client says of credentials, bucket or a server that fails, as a sentence; nothing of other errors."""
    from botocore.exceptions import BotoCoreError, ClientError

    # What the server answered has been given a name of the operating system's by then, with the original as its cause.
    if not any(isinstance(each, (BotoCoreError, ClientError)) for each in (error, error.__cause__)):
        return None
    return f"S3 refused or did not answer: {error}; check AWS_ENDPOINT_URL, AWS_PROFILE and the bucket, then try again"


_WRITTEN_BY_ANOTHER = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409", "NoSuchKey", "404")


def _s3_code(error: BaseException) -> str:
    """What S3 calls an error that fsspec has given another name."""
    response = getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _tag_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def building(target: str | os.PathLike[str]) -> Iterator[Path]:
    """A local folder to build a model folder in; its content appears under ``target`` when the block ends well.

    A local target comes by a rename; a remote one by an upload that puts ``config.json`` last, so that a
    folder cut off half-way is no model.

    Raises:
        InputError: there is something at ``target`` already.
    """
    fs, inner = filesystem(target)
    if fs.exists(inner) and (fs.isfile(inner) or fs.ls(inner)):
        raise InputError(
            "there is something here already; give a new folder, or remove this one first",
            file=os.fspath(target),
        )
    if is_local(target):
        final = Path(inner)
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.tmp")
        temporary.mkdir()
    else:
        temporary = Path(tempfile.mkdtemp(prefix="ftrl-model-"))
    try:
        yield temporary
        _readable_by_all(temporary)
        if is_local(target):
            temporary.replace(final)
        else:
            files = sorted(path for path in temporary.rglob("*") if path.is_file())
            for file in sorted(files, key=lambda path: path.name == "config.json"):
                fs.put_file(str(file), join(inner, file.relative_to(temporary).as_posix()))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _readable_by_all(folder: Path) -> None:
    """Give each file the mode of an ordinary new file: safetensors keeps its own from all but their owner."""
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(0o666 & ~_umask())


def _umask() -> int:
    mask = os.umask(0o022)  # it can only be read by setting it
    os.umask(mask)
    return mask
