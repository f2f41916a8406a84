"""YAML documents: strictly parsed, strictly validated, every error with file, line and key."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from yaml.reader import ReaderError

from config.strict import Loc, Model, Problem
from core.errors import ConfigError

M = TypeVar("M", bound=Model)

_MAX_BYTES: Final = 8 * 2**20
_CHECK_AGAIN: Final = "mend the line and run the command again"


class DocumentError(ConfigError):
    """Several errors of one file, in line order; shows them all."""

    def __init__(self, errors: tuple[ConfigError, ...]) -> None:
        first = errors[0]
        super().__init__(
            first.what, where=first.where, evidence=first.evidence, cause=first.cause, next=first.next
        )
        self.errors = errors

    def render(self) -> str:
        """Return all errors, one block each."""
        return "\n\n".join(error.render() for error in self.errors)


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


def load_yaml(path: Path, model: type[M]) -> M:
    """Return a file as a model.

    Parameters
    ----------
    path
        The file, UTF-8.
    model
        What it must be; its `problems()` are checked too.

    Raises
    ------
    ConfigError
        If anything is wrong; `DocumentError` with all of them when there are several.
    """
    data, lines = read_yaml(path)
    return validate(data, lines, model)


def validate(data: Any, lines: Lines, model: type[M]) -> M:
    """Return data that was read with `read_yaml` as a model; raises as `load_yaml`."""
    if data is None:
        data = {}
    try:
        document = model.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise _raisable([_explain(detail, lines, model) for detail in _causes(details)], lines) from None
    problems = tuple(document.problems())
    if problems:
        raise _raisable(problems, lines)
    return document


def _raisable(problems: Iterable[Problem], lines: Lines) -> ConfigError:
    ordered = sorted(problems, key=lambda problem: lines.line(problem.loc))
    errors = tuple(lines.error(problem) for problem in ordered)
    return errors[0] if len(errors) == 1 else DocumentError(errors)


def _causes(details: Iterable[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Errors without the lists that are called too short only because an item in them is wrong."""
    details = tuple(details)
    for detail in details:
        loc = detail["loc"]
        if detail["type"] != "too_short" or not any(
            other["loc"][: len(loc)] == loc and other is not detail for other in details
        ):
            yield detail


_SHAPES: Final = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text (put it in quotes)",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "date_type": "a date, such as 2024-02-01, without quotes",
    "none_required": "empty",
}


def _explain(detail: ErrorDetails, lines: Lines, model: type[BaseModel]) -> Problem:
    loc, kind, value = detail["loc"], detail["type"], detail["input"]
    at = lines.known(loc)
    if kind == "extra_forbidden":
        fields = _fields_at(model, at[:-1])
        near = difflib.get_close_matches(str(loc[-1]), fields, n=1)
        return Problem(
            at,
            "Unknown key.",
            evidence=f"{loc[-1]!s}; known here: {', '.join(fields)}",
            cause=f"did you mean {near[0]}?" if near else "",
            next="remove it or spell it as one of the known keys",
        )
    if kind == "missing":
        return Problem(
            (*at, loc[-1]), "A required key is missing.", evidence=str(loc[-1]), next=f"add the key {loc[-1]}"
        )
    if kind == "value_error":
        text = str(detail.get("ctx", {}).get("error", detail["msg"]))
        return Problem(at, f"The value {text}.", evidence=_seen(value))
    if kind == "union_tag_invalid":
        context = detail["ctx"]
        key = str(context["discriminator"]).strip("'")
        return Problem((*at, key), f"The value must be one of {context['expected_tags']}.", context["tag"])
    shape = _SHAPES.get(kind)
    what = f"The value must be {shape}." if shape else f"The value is wrong: {_lower(detail['msg'])}."
    return Problem(at, what, evidence=_seen(value))


def _seen(value: object) -> str:
    """The value as the file has it, or the keys of a mapping; never more than a line."""
    text = ", ".join(map(str, value)) if isinstance(value, dict) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _fields_at(model: Any, loc: Loc) -> tuple[str, ...]:
    """Names a model knows at a path, through lists, mappings and optional values."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        if not loc:
            return tuple(field.alias or name for name, field in model.model_fields.items())
        field = model.model_fields.get(str(loc[0]))
        return _fields_at(field.annotation, loc[1:]) if field else ()
    origin, args = typing.get_origin(model), typing.get_args(model)
    if origin in (types.UnionType, typing.Union):
        return tuple(dict.fromkeys(name for arg in args for name in _fields_at(arg, loc)))
    if origin is typing.Annotated:
        return _fields_at(args[0], loc)
    if origin is tuple and loc:
        return _fields_at(args[0], loc[1:])
    if origin is dict and loc:
        return _fields_at(args[1], loc[1:])
    return ()
