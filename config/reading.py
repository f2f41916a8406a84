"""Strict YAML: plain data only, and where each value of it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.reader import ReaderError

from config.hiding import hide
from config.strict import Loc, Problem
from core.errors import ConfigError

_MAX_BYTES: Final = 8 * 2**20
_CHECK_AGAIN: Final = "mend the line and run the command again"


class _Loader(yaml.SafeLoader):
    """Safe loader without YAML 1.1's surprises: ``no``, ``010`` and ``1:30`` are text."""


_Loader.yaml_implicit_resolvers = {}


def _resolve(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolve("bool", r"^(?:true|false)$", "tf")
_resolve("int", r"^(?:[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+)$", "-+0123456789")
_resolve("float", r"^[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$", "-+0123456789")
_resolve("null", r"^(?:null|~|)$", "n~\0")
_resolve("timestamp", r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "0123456789")


class PlacedError(ConfigError):
    """What is wrong at one place of a file.

    Attributes
    ----------
    file, line, key
        The place; `line` is 1-based, `key` as people write it, empty for the whole file.
    """

    def __init__(self, problem: Problem, *, file: Path, line: int) -> None:
        key = hide(dotted(problem.loc))
        super().__init__(
            problem.what,
            where=f"{file}:{line}: {key}" if key else f"{file}:{line}",
            evidence=hide(problem.evidence),
            cause=problem.cause,
            next=hide(problem.next) or _CHECK_AGAIN,
        )
        self.file, self.line, self.key = file, line, key


class Lines:
    """Where each value of a document stands: path → line, 1-based.

    Attributes
    ----------
    faults
        What is wrong with the file as plain data: duplicate keys, aliases, keys that are no text.
    unread
        Paths whose value in the data is not what the file says, because of a fault.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: list[PlacedError] = []
        self.unread: set[Loc] = set()
        self._lines: dict[Loc, int] = {(): 1}

    def copy(self) -> Lines:
        """Return one that learns lines by itself, and notes faults in the same list."""
        other = Lines(self.path)
        other.faults, other._lines = self.faults, dict(self._lines)
        return other

    def fault(self, problem: Problem) -> None:
        """Note a fault at the line that is known of its path."""
        self.faults.append(self.error(problem))

    def add(self, loc: Loc, mark: yaml.Mark) -> None:
        """Note the line of a value (of its key, in a mapping)."""
        self._lines[loc] = mark.line + 1

    def line(self, loc: Loc) -> int:
        """Return the line of the deepest known part of a path."""
        while loc not in self._lines:
            loc = loc[:-1]
        return self._lines[loc]

    def known(self, loc: Loc) -> Loc:
        """Return the part of a path that stands in the document (a validator's path has other parts too)."""
        found: Loc = ()
        for part in loc:
            if (*found, part) in self._lines:
                found = (*found, part)
        return found

    def error(self, problem: Problem) -> PlacedError:
        """Return a problem as an error with file, line and key."""
        return PlacedError(problem, file=self.path, line=self.line(problem.loc))


def dotted(loc: Loc) -> str:
    """Return a path as people write it.

    Examples
    --------
    >>> dotted(("devices", 0, "modbus", "port"))
    'devices[0].modbus.port'
    """
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_yaml(path: Path) -> tuple[Any, Lines]:
    """Return a file's data (sequences as tuples) and where each value stands.

    Duplicate keys, keys that are no text, aliases and dates that do not exist are noted in
    `Lines.faults`; `config.documents` raises them together with what else is wrong.

    Raises
    ------
    ConfigError
        If the file cannot be read, is no YAML, or is larger than 8 MiB.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise ConfigError(
                "The file is too large for a configuration.",
                where=str(path),
                evidence=f"more than {_MAX_BYTES} bytes",
                next="check that this is the right file",
            )
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(
            "The file cannot be read.",
            where=str(path),
            evidence=error.strerror or str(error),
            next=f"ls -l {path.parent}",
        ) from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            "The file is not UTF-8 text.",
            where=f"{path}:{line}",
            evidence=f"byte 0x{raw[error.start]:02x} at offset {error.start}",
            cause="saved by an editor in Shift_JIS or Windows-1252",
            next="save it as UTF-8",
        ) from None
    return _parse(text, path)


def _parse(text: str, path: Path) -> tuple[Any, Lines]:
    lines = Lines(path)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return (None if node is None else _build(loader, node, (), lines, set())), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        reads = text.splitlines()[line - 1 : line] if mark else []
        raise _no_yaml(path, line, str(error.problem or error.context), "".join(reads)) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _no_yaml(path, line, f"character U+{ord(text[error.position]):04X}") from None
    except RecursionError:
        raise ConfigError(
            "The file is nested too deeply.", where=str(path), next="check that this is the right file"
        ) from None


_SYNTAX: Final = (
    ("'\\t'", "a tab: YAML is indented with spaces only", "put spaces in the place of the tab"),
    (
        "mapping values are not allowed",
        "the line is indented too far, or a text with a colon has no quotes",
        "line the key up with its neighbours, or put the text in quotes",
    ),
    (
        "expected <block end>",
        "the line is indented otherwise than its neighbours",
        "line its first letter up with the key above it that it stands beside",
    ),
    (
        "could not find expected ':'",
        "a key without a colon, or no space after the colon",
        "write key: value, with a space after the colon",
    ),
    ("another document", "a line --- begins a second document in the file", "remove the line"),
    ("expected ','", "a bracket is not closed, or a comma is missing", "close the bracket that was opened"),
    ("undefined alias", "a text that begins with * has no quotes", "put the text in quotes"),
    ("found unexpected end of stream", "a quote or bracket is not closed", "close it"),
    ("cannot start any token", "a text that begins with this character has no quotes", "put it in quotes"),
)


def _no_yaml(path: Path, line: int, problem: str, reads: str = "") -> PlacedError:
    syntax: tuple[tuple[str, str, str], ...] = _SYNTAX
    if "${" in reads or "{{" in reads:
        syntax = (("", "variables and templates are not filled in here", "write the value itself"),)
    cause, mend = next(
        ((cause, mend) for words, cause, mend in syntax if words in problem),
        ("indentation, a tab, or a missing space after a colon is the usual reason", "mend the line"),
    )
    evidence = f"{problem}; the line reads: {reads.strip()}" if reads.strip() else problem
    return PlacedError(
        Problem(
            (),
            "The file is no valid YAML.",
            evidence,
            cause,
            f"{mend}; then run the command again: what follows was not read",
        ),
        file=path,
        line=line,
    )


def _build(loader: _Loader, node: yaml.Node, loc: Loc, lines: Lines, seen: set[int]) -> Any:
    """Return a node's data; what is no plain data is noted in `lines.faults` and left out."""
    if id(node) in seen:
        lines.fault(Problem(loc, "Anchors and aliases are not used here.", next="write the value out"))
        lines.unread.add(loc)
        return None
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, loc, lines, seen)
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            lines.add((*loc, index), item.start_mark)
            items.append(_build(loader, item, (*loc, index), lines, seen))
        return tuple(items)
    try:
        return loader.construct_object(node)
    except ValueError as error:  # 2024-02-30
        lines.fault(Problem(loc, "The value is no valid date.", evidence=f"{node.value}: {error}"))
        lines.unread.add(loc)
        return None


def _mapping(
    loader: _Loader, node: yaml.MappingNode, loc: Loc, lines: Lines, seen: set[int]
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node) if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            key_text = key_node.value if isinstance(key_node, yaml.ScalarNode) else "a bracket in a bracket"
            comma = isinstance(key, int) and value_node.value == "" and bool(result)
            lines.fault(
                Problem(
                    loc,
                    "A key must be text.",
                    evidence=f"line {key_node.start_mark.line + 1}: {key_text}",
                    cause="a comma inside a number ends it" if comma else "",
                    next=(
                        "write decimals with a point, such as 1.5"
                        if comma
                        else "put the key in quotes; a template is not filled in here: write the value itself"
                    ),
                )
            )
            continue
        at = (*loc, key)
        if key in result:
            first, second = lines.line(at), lines.copy()
            second.add(at, key_node.start_mark)
            second.fault(
                Problem(
                    at,
                    "The key stands twice.",
                    evidence=f"first on line {first}",
                    cause="one of the two would silently be lost",
                    next="remove or rename one of them",
                )
            )
            _build(loader, value_node, at, second, seen)
            continue
        lines.add(at, key_node.start_mark)
        result[key] = _build(loader, value_node, at, lines, seen)
    return result
