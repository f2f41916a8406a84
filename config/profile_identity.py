"""How a device is told apart: its own texts, and by what a stranger on the line is recognised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from config.profile_points import Address, Function, OrderName, TypeName, ValueType
from config.strict import Exact, Loc, Model, Problem


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]


class Text(Model):
    """A text or a number of the device that says who it is.

    In a SunSpec profile the address is an offset from the ID register of the common model, 1.
    """

    address: Address
    words: Annotated[int, Field(ge=1, le=125)]
    type: TypeName = ValueType.STRING
    function: Function | None = None
    word_order: OrderName | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_wide_as_its_type(cls, data: Any) -> Any:
        """A number is as wide as its type, a text as it says."""
        if isinstance(data, dict) and "words" not in data and data.get("type") in set(ValueType):
            words = ValueType(data["type"]).words
            return {**data, "words": words} if words else data
        return data

    def problems_at(self, loc: Loc) -> Iterator[Problem]:
        """Yield what is wrong with it."""
        if self.type is ValueType.BIT:
            yield Problem((*loc, "type"), "A bit tells nobody apart.", next="use string or a whole number")
        elif self.type is not ValueType.STRING and self.words != self.type.words:
            yield Problem(
                (*loc, "words"),
                "The width is not that of the type.",
                evidence=f"{self.words} words; {self.type.value} has {self.type.words}",
                next="leave words out: only a string needs it",
            )
        if self.address + self.words > 0x10000:
            yield Problem((*loc, "address"), "The text ends beyond the last register, 65535.")


class Identity(Model):
    """Where a device keeps who it is."""

    serial_number: Text | None = None
    model: Text | None = None
    firmware: Text | None = None

    @property
    def texts(self) -> tuple[tuple[str, Text], ...]:
        """Those that the device has, with their names."""
        named = (("serial_number", self.serial_number), ("model", self.model), ("firmware", self.firmware))
        return tuple((name, text) for name, text in named if text is not None)


class Fingerprint(Model):
    """A register that betrays the product: its count equals a number, or lies between two [counts]."""

    address: Address
    type: TypeName
    function: Function | None = None
    equals: int | None = None
    min: Exact | None = None
    max: Exact | None = None

    @model_validator(mode="after")
    def _says_what(self) -> Fingerprint:
        limits = self.min is not None or self.max is not None
        if (self.equals is not None) == limits:
            raise ValueError("needs either equals, or min and max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("has its min above its max")
        return self


class Identify(Model):
    """By what the product is recognised: by what it says in 43/14, or, where it says nothing, by registers.

    Attributes
    ----------
    vendor, product
        Regular expressions, searched for in the texts of 43/14 (device identification); both must be found.
    registers
        All of these must be so. They are read one by one.
    """

    vendor: Pattern | None = None
    product: Pattern | None = None
    registers: tuple[Fingerprint, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Identify:
        if self.vendor is None and self.product is None and not self.registers:
            raise ValueError("needs vendor, product or registers")
        return self
