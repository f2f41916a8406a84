"""Reading CSV files as people save them: several encodings, columns by name, every error with its line."""

from __future__ import annotations

import codecs
import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from core.errors import DataError

if TYPE_CHECKING:
    from _csv import Reader

_ENCODINGS = ("utf-8-sig", "cp932")
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file of text as it stands on a disk, looked through once.

    Parameters
    ----------
    path
        Where it is.
    encoding
        That all of it can be read in.
    sha256
        Hash of its bytes, 64 hex digits.
    """

    path: Path
    encoding: str
    sha256: str

    def open(self) -> TextIO:
        """Open it for a reader of CSV."""
        return self.path.open(encoding=self.encoding, newline="")


def look_through(path: Path) -> TextFile:
    """Return the encoding and the hash of a file, in the memory of a small part of it.

    UTF-8 with or without a byte order mark, UTF-16 and Shift-JIS (cp932) are understood.

    Raises
    ------
    DataError
        The file is missing, or in another encoding.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            names = ("utf-16",) if file.read(2) in _UTF_16_MARKS else _ENCODINGS
            file.seek(0)
            decoders = {name: codecs.getincrementaldecoder(name)() for name in names}
            lines = 1
            while True:
                chunk = file.read(_CHUNK)
                digest.update(chunk)
                for name in tuple(decoders):
                    try:
                        decoders[name].decode(chunk, final=not chunk)
                    except UnicodeDecodeError as error:
                        del decoders[name]
                        if not decoders:
                            raise _unknown_encoding(path, lines, error) from error
                if not chunk:
                    return TextFile(path, next(iter(decoders)), digest.hexdigest())
                lines += chunk.count(b"\n")
    except OSError as error:
        raise DataError(
            "the file cannot be read", where=str(path), evidence=error.strerror or str(error)
        ) from error


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file: its cells by column, without the space around them."""

    file: str
    number: int
    cells: Mapping[str, str]

    @property
    def source(self) -> str:
        """Where it stands, ``file:line``."""
        return f"{self.file}:{self.number}"

    def error(self, column: str, what: str, *, cause: str = "", next: str = "") -> DataError:
        """Return an error about one cell."""
        cell = self.cells[column]
        evidence = f"{cell!r}" if cell else "the cell is empty"
        return DataError(what, where=f"{self.source}: {column}", evidence=evidence, cause=cause, next=next)


def read_lines(path: Path, columns: Sequence[str]) -> Iterator[Line | DataError]:
    """Yield the lines of a file, and an error in the place of each that has not the right cells.

    Columns may stand in any order; empty lines are passed over. Encodings are those of `look_through`.

    Raises
    ------
    DataError
        The file as a whole cannot be used: it is missing, in another encoding, or its columns are others.
    """
    with look_through(path).open() as text:
        yield from _lines(csv.reader(text, strict=True), path, columns)


def _lines(reader: Reader, path: Path, columns: Sequence[str]) -> Iterator[Line | DataError]:
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if sorted(header) != sorted(columns):
            raise _wrong_columns(path, header, columns)
        number = reader.line_num
        for cells in reader:
            number, first = reader.line_num, number + 1
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                yield DataError(
                    f"{len(cells)} cells where {len(header)} belong",
                    where=f"{path.name}:{first}",
                    evidence=",".join(cells)[:120],
                    cause="a comma inside a text or a number needs quotes around it",
                )
                continue
            stripped = (cell.strip() for cell in cells)
            yield Line(path.name, first, dict(zip(header, stripped, strict=True)))
    except csv.Error as error:
        raise DataError(
            "the file is not CSV from here on",
            where=f"{path.name}:{reader.line_num}",
            evidence=str(error),
            cause="a quotation mark is not closed",
        ) from error


def _unknown_encoding(path: Path, line: int, error: UnicodeDecodeError) -> DataError:
    line += error.object[: error.start].count(b"\n")
    return DataError(
        "the file is in no encoding that is understood",
        where=f"{path.name}:{line}",
        evidence=error.object[error.start : error.start + 8].hex(" "),
        next="save it as CSV UTF-8",
    )


def _wrong_columns(path: Path, header: Sequence[str], columns: Sequence[str]) -> DataError:
    lacking = [name for name in columns if name not in header]
    other = [name for name in header if name not in columns]
    twice = sorted({name for name in header if header.count(name) > 1})
    parts = [
        f"{what}: {', '.join(names)}"
        for what, names in (("lacking", lacking), ("not known", other), ("twice", twice))
        if names
    ]
    return DataError(
        "the columns are not those of this kind of file",
        where=f"{path.name}:1",
        evidence="; ".join(parts) or "the file is empty",
        cause="columns are parted by commas" if len(header) <= 1 else "",
        next=f"first line: {','.join(columns)}",
    )
