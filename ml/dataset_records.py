"""The records of a file of somebody's own, each with its line: CSV, JSON lines, ninjs, Parquet.

A file may be compressed, and it may be anybody's: no line, document, table or sum of them is read
past its bound, a name in an archive is never a path here, and only regular files are opened.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from ml.artifact import ArtifactError
from ml.dataset_parquet import ParquetError, read_parquet
from ml.messages import MAX_TEXT

MAX_BYTES = 1024 * 1024 * 1024
"""Bytes of a whole file, unpacked: ten times the full AG News; what is read is held in memory."""

MAX_LINE = 16 * 1024 * 1024
"""Bytes of a line: MAX_TEXT characters of Chinese, escaped as JSON may, and as much again."""

MAX_DOCUMENT = 256 * 1024 * 1024  # of one JSON document, which is parsed as a whole
MAX_RATIO = 200
"""Unpacked bytes a packed one may stand for. News packs to a third or a tenth, zeros to a thousandth."""

FREE_BYTES = 2 * 1024 * 1024  # unpacked whatever the ratio: a short file may be repetitive

FORMATS = (
    ".csv, .jsonl, .json (ninjs) or .parquet; the first three also with .gz; .zip with one of them"
)

Record = tuple[int, Any]
"""A place in the file, from 1, and what stands there; a ValueError stands for what is no record."""


@dataclass(frozen=True)
class Records:
    """What a file holds; `unit` names its places: line, item or row."""

    unit: str
    records: Iterator[Record]


@contextlib.contextmanager
def open_records(file: Path) -> Iterator[Records]:
    """Open `file` for as long as its records are read.

    Raises ArtifactError naming the file, and the place where there is one.
    """
    with contextlib.ExitStack() as stack:
        try:
            stream: IO[bytes] = stack.enter_context(_regular(file))
            packed = os.fstat(stream.fileno()).st_size
            name = file.name.lower()
            unpacked = False
            if name.endswith(".zip"):
                stream, packed, name = _member(stack, file, stream)
                unpacked = True
            elif name.endswith(".gz"):
                stream = cast("IO[bytes]", stack.enter_context(gzip.open(stream)))
                name, unpacked = name.removesuffix(".gz"), True
            bound = _Bound(file, packed if unpacked else None)
            yield _records(file, name, stream, bound, unpacked)
        except (OSError, EOFError, csv.Error, zipfile.BadZipFile, ParquetError) as error:
            raise ArtifactError(f"{file}: cannot be read ({error})") from error


def _regular(file: Path) -> IO[bytes]:
    """Open a regular file, and nothing else: a link may lead anywhere, a pipe never ends."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if file.is_symlink():
            raise ArtifactError(f"{file}: a symbolic link; name the file itself") from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ArtifactError(f"{file}: not a regular file")
    return os.fdopen(handle, "rb")


def _member(
    stack: contextlib.ExitStack, file: Path, stream: IO[bytes]
) -> tuple[IO[bytes], int, str]:
    """Return the only file of an archive, its packed size and name; nothing is extracted."""
    archive = stack.enter_context(zipfile.ZipFile(stream))
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) != 1:
        raise ArtifactError(f"{file}: expected one file in the archive, got {len(entries)}")
    entry = entries[0]
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\0" in entry.orig_filename:
        raise ArtifactError(f"{file}: {entry.filename!r} is a path that leaves the archive")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise ArtifactError(f"{file}: {entry.filename!r} is a symbolic link")
    if entry.flag_bits & 1:
        raise ArtifactError(f"{file}: {entry.filename!r} is encrypted; decrypt it first")
    if entry.file_size > MAX_BYTES:
        raise ArtifactError(f"{file}: {entry.file_size} bytes unpacked; the limit is {MAX_BYTES}")
    try:
        member = cast("io.RawIOBase", archive.open(entry))  # its own readline is slow
        opened = stack.enter_context(io.BufferedReader(member))
    except (NotImplementedError, RuntimeError) as error:  # compressions that Python does not know
        raise ArtifactError(f"{file}: {entry.filename!r} cannot be read ({error})") from error
    return opened, entry.compress_size, path.name.lower()


@dataclass
class _Bound:
    """Counts unpacked bytes; `packed` is None where nothing is compressed."""

    file: Path
    packed: int | None
    read: int = 0

    def add(self, count: int) -> None:
        self.read += count
        if self.read > MAX_BYTES:
            raise ArtifactError(f"{self.file}: over {MAX_BYTES} bytes unpacked")
        if (
            self.packed is not None
            and self.read > FREE_BYTES
            and self.read > self.packed * MAX_RATIO
        ):
            raise ArtifactError(
                f"{self.file}: unpacks to over {MAX_RATIO} times its {self.packed} bytes; "
                "unpack it yourself if you trust it"
            )


def _records(file: Path, name: str, stream: IO[bytes], bound: _Bound, packed: bool) -> Records:
    if name.endswith(".csv"):
        return Records("line", _csv(file, _lines(file, stream, bound)))
    if name.endswith((".jsonl", ".ndjson")):
        return Records("line", _json_lines(_lines(file, stream, bound)))
    if name.endswith(".json"):
        return Records("item", _document(file, stream, bound))
    if name.endswith(".parquet") and not packed:
        return Records("row", read_parquet(stream, MAX_BYTES))
    raise ArtifactError(f"{file}: expected {FORMATS}")


def _lines(file: Path, stream: IO[bytes], bound: _Bound) -> Iterator[str]:
    number = 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        bound.add(len(line))
        if len(line) > MAX_LINE:
            raise ArtifactError(f"{file}: line {number}: over {MAX_LINE} bytes")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise ArtifactError(f"{file}: line {number}: not UTF-8 ({error.reason})") from error


def _csv(file: Path, lines: Iterator[str]) -> Iterator[Record]:
    usual = csv.field_size_limit(MAX_TEXT)  # 131,072 by default: less than an article may have
    last = 0
    try:
        reader = csv.DictReader(lines, strict=True)
        columns = list(reader.fieldnames or ())
        if twice := sorted({c for c in columns if columns.count(c) > 1}):
            raise ArtifactError(f"{file}: line 1: column {twice[0]!r} stands twice")
        last = reader.line_num
        for fields in reader:
            if None in fields or None in fields.values():
                yield last + 1, ValueError(f"expected {len(columns)} columns")
            else:
                yield last + 1, fields
            last = reader.line_num  # a field may span lines
    except csv.Error as error:
        raise ArtifactError(f"{file}: line {last + 1}: cannot be read ({error})") from error
    finally:
        csv.field_size_limit(usual)


def _json_lines(lines: Iterator[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, ValueError(f"not JSON ({error})")


def _document(file: Path, stream: IO[bytes], bound: _Bound) -> Iterator[Record]:
    """Yield the items of one JSON document: an array, or a single object."""
    parts: list[bytes] = []
    size = 0
    while part := stream.read(1024 * 1024):
        bound.add(len(part))
        parts.append(part)
        size += len(part)
        if size > MAX_DOCUMENT:
            raise ArtifactError(
                f"{file}: over {MAX_DOCUMENT} bytes in one document; JSON lines may be longer"
            )
    try:
        found = json.loads(b"".join(parts))
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{file}: not JSON ({error})") from error
    yield from enumerate(found if isinstance(found, list) else [found], start=1)
