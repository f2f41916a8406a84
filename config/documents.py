"""YAML documents as models: strictly validated, every error with file, line and key."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config.reading import Lines, read_yaml
from config.strict import Loc, Model, Problem
from core.errors import ConfigError

M = TypeVar("M", bound=Model)


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
