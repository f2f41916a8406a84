"""A validator's errors in the words of the person who wrote the file."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from config.strict import Loc, Problem, Wrong

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
_LIMITS: Final = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_TRUTHS: Final = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}
_OTHER_NAMES: Final = {
    "slave": "unit", "slave_id": "unit", "unit_id": "unit", "station": "unit", "id": "unit",
    "ip": "host", "ip_address": "host", "address": "host", "hostname": "host", "device": "serial",
    "baudrate": "baud", "interval": "every_s", "period": "every_s", "timeout": "timeout_s",
}  # fmt: skip
"""What other programs call our keys."""
_NOTHING: Final = "nothing stands after the colon"
_NUMBER: Final = re.compile(r"\s*([+-]?\d+(?:[.,]\d+)?)\s*([a-zA-Z/%]*)\s*")


def explain(detail: ErrorDetails, at: Loc, model: type[BaseModel]) -> Problem:
    """Return a validator's error as a problem of the document.

    Parameters
    ----------
    detail
        The error.
    at
        The part of its path that stands in the document.
    model
        What the document must be.
    """
    loc, kind, value = detail["loc"], detail["type"], detail["input"]
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(str(loc[-1]), value, at, model)
    if kind == "missing":
        key = str(loc[-1])
        cause = "an empty file, or one with comments only" if loc == (key,) and not value else ""
        here = ", ".join(map(str, value)) if isinstance(value, Mapping) else ""
        seen = f"{key} is not there, only {here}" if here and len(here) <= 60 else f"{key} is not there"
        return Problem((*at, key), "A required key is missing.", seen, cause, f"add the key {key}")
    if kind == "value_error":
        error = context.get("error", detail["msg"])
        cause, mend = (error.cause, error.next) if isinstance(error, Wrong) else ("", "")
        cause = _NOTHING if value == "" else cause
        return Problem(at, f"The value {error}.", _seen(value), cause, mend)
    if kind == "union_tag_invalid":
        key = str(context["discriminator"]).strip("'")
        return _choice((*at, key), context["tag"], str(context["expected_tags"]))
    if kind in ("literal_error", "enum"):
        return _choice(at, value, str(context["expected"]))
    if kind in _LIMITS:
        name, words = _LIMITS[kind]
        return Problem(at, f"The value must be {words} {context[name]:g}.", _seen(value))
    if kind == "too_short":
        return Problem(at, "The list is empty.", next="add at least one item, or remove the key")
    if kind == "string_too_short":
        return Problem(at, "The text is empty.", next="write it, or remove the key")
    shape = _SHAPES.get(kind)
    what = f"The value must be {shape}." if shape else f"The value is wrong: {_lower(detail['msg'])}."
    cause, mend = _misshapen(kind, value)
    return Problem(at, what, _seen(value), cause, mend)


def _misshapen(kind: str, value: object) -> tuple[str, str]:
    """Cause and remedy of a value of another shape."""
    if value is None or value == "":
        return _NOTHING, "write the value, or remove the key"
    if kind == "int_type" and value in ("off", "none"):
        return f"{value} is a text here", "write a number, or null where the key may be off"
    if kind in ("int_type", "float_type") and isinstance(value, str):
        found = _NUMBER.fullmatch(value)
        if found is None:
            return "", ""
        number = str(float(found[1].replace(",", "."))) if found[1][1:].strip("0123456789") else found[1]
        number = number.lstrip("0") or "0" if number.isdigit() else number
        if found[2]:
            return "the unit is in the key's name", f"write the number alone: {number}"
        if "," in value:
            return "a comma is no decimal point in YAML", f"write it with a point: {number}"
        return "in quotes, or with a leading 0, it is text", f"write it without: {number}"
    if kind == "bool_type" and str(value).lower() in _TRUTHS:
        return "a truth is written true or false here", f"write {_TRUTHS[str(value).lower()]}"
    if kind == "tuple_type" and not isinstance(value, dict):
        return "a list of one still has brackets", f"write [{value}]"
    return "", ""


def _choice(at: Loc, value: object, expected: str) -> Problem:
    options = re.findall(r"'([^']*)'", expected) or re.findall(r"\w+", expected.replace(" or ", " "))
    near = [each for each in options if each.lower() == str(value).lower()]
    near = near or difflib.get_close_matches(str(value), options, n=1)
    shown = ", ".join(options)
    return Problem(
        at,
        f"The value must be one of {shown}." if len(options) <= 8 else "There is no such value.",
        _seen(value),
        f"did you mean {near[0]}?" if near else "",
        f"choose one of: {shown}" if len(options) > 8 else f"write {near[0]}" if near else "",
    )


def _unknown_key(key: str, value: object, at: Loc, model: type[BaseModel]) -> Problem:
    fields = _fields_at(model, at[:-1])
    if key in fields:
        return Problem(
            at,
            "The kind that is chosen here has no such key.",
            key,
            "it belongs to another kind",
            "remove it, or choose the kind that has it",
        )
    near = difflib.get_close_matches(key, fields, n=1)
    cause, mend = "", "remove it or spell it as one of the known keys"
    if not value and ":" in key:
        cause, mend = "no space after the colon", f"write {key.replace(':', ': ', 1)}"
    elif homes := _homes(model, at[:-1], key, fields):
        cause, mend = f"it belongs under {homes[0]}: wrong indentation", f"move it under {homes[0]}"
    elif near:
        cause = f"did you mean {near[0]}?"
    elif (ours := _OTHER_NAMES.get(key)) in fields:
        cause, mend = f"it is called {ours} here", f"write {ours}"
    return Problem(at, "Unknown key.", f"{key}; known here: {', '.join(fields)}", cause, mend)


def _homes(model: type[BaseModel], loc: Loc, key: str, fields: tuple[str, ...]) -> list[str]:
    """Keys at whose values a key is known: one level further in, or one level further out."""
    inside = [name for name in fields if key in _fields_at(model, (*loc, name))]
    for above in (loc[:-1], loc[:-2]):
        if loc and key in _fields_at(model, above):
            named = next((str(part) for part in reversed(above) if isinstance(part, str)), "the top")
            inside.append(named if above else "no other key (leftmost)")
    return inside


def _seen(value: object) -> str:
    """The value as the file has it, or the keys of a mapping; never more than a line."""
    if value is None or value == "":
        return "nothing"
    text = ", ".join(map(str, value)) if isinstance(value, Mapping) else str(value)
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
