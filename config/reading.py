"""Strict YAML: plain data only, and where each value of it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.reader import ReaderError

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


class Lines:
    """Where each value of a document stands: path → line, 1-based."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: dict[Loc, int] = {(): 1}

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

    def where(self, loc: Loc) -> str:
        """Return ``file:line: key``."""
        return f"{self.path}:{self.line(loc)}: {dotted(loc)}" if loc else f"{self.path}:{self.line(loc)}"

    def error(self, problem: Problem) -> ConfigError:
        """Return a problem as an error with file, line and key."""
        return ConfigError(
            problem.what,
            where=self.where(problem.loc),
            evidence=problem.evidence,
            cause=problem.cause,
            next=problem.next or _CHECK_AGAIN,
        )


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

    Raises
    ------
    ConfigError
        If the file cannot be read, is no YAML, has a duplicate key, a key that is no text, an
        anchor, or is larger than 8 MiB.
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
        evidence = str(error.problem or error.context)
        raise _no_yaml(
            f"{path}:{line}", "; the line reads: ".join([evidence, *map(str.strip, reads)])
        ) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        evidence = f"character U+{ord(text[error.position]):04X}"
        raise _no_yaml(f"{path}:{line}", evidence) from None
    except RecursionError:
        raise ConfigError(
            "The file is nested too deeply.", where=str(path), next="check that this is the right file"
        ) from None


def _no_yaml(where: str, evidence: str) -> ConfigError:
    return ConfigError(
        "The file is no valid YAML.",
        where=where,
        evidence=evidence,
        cause="indentation, a tab, or a missing space after a colon is the usual reason",
        next=_CHECK_AGAIN,
    )


def _build(loader: _Loader, node: yaml.Node, loc: Loc, lines: Lines, seen: set[int]) -> Any:
    if id(node) in seen:
        raise lines.error(Problem(loc, "Anchors and aliases are not used here.", next="write the value out"))
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                seen_text = getattr(key_node, "value", key_node.tag)
                raise lines.error(
                    Problem(
                        loc,
                        "A key must be text.",
                        evidence=f"line {key_node.start_mark.line + 1}: {seen_text}",
                        next="put the key in quotes",
                    )
                )
            at = (*loc, key)
            if key in result:
                first = lines.line(at)
                lines.add(at, key_node.start_mark)
                raise lines.error(
                    Problem(
                        at,
                        "The key stands twice.",
                        evidence=f"first on line {first}",
                        cause="one of the two would silently be lost",
                        next="remove or rename one of them",
                    )
                )
            lines.add(at, key_node.start_mark)
            result[key] = _build(loader, value_node, at, lines, seen)
        return result
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            lines.add((*loc, index), item.start_mark)
            items.append(_build(loader, item, (*loc, index), lines, seen))
        return tuple(items)
    try:
        return loader.construct_object(node)
    except ValueError as error:  # 2024-02-30
        raise lines.error(
            Problem(loc, "The value is no valid date.", evidence=f"{node.value}: {error}")
        ) from None
