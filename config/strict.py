"""What all configuration models are made of: a strict base and the exact scalar types.

YAML is data only: a number that must be exact is quoted text (``scale: "0.001"``), a ratio is
written as on the nameplate (``ct: 400/5``).
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator

from core.carbon.rounding import exact_text

Loc = tuple[str | int, ...]
"""Path to a value in a file: keys and list indexes, outermost first."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a document whose every single value is well formed."""

    loc: Loc
    what: str
    evidence: str = ""
    cause: str = ""
    next: str = ""


class Wrong(ValueError):
    """A value that is wrong, with the likely cause and what to do; the text follows "The value"."""

    def __init__(self, what: str, *, cause: str = "", next: str = "") -> None:
        super().__init__(what)
        self.cause = cause
        self.next = next


class Model(BaseModel):
    """Base of all configuration models: frozen, strict, unknown keys refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", arbitrary_types_allowed=True)

    def problems(self) -> Iterator[Problem]:
        """Yield what no single value shows: duplicates, dangling names, sums that do not close."""
        return iter(())

    def warnings(self) -> Iterator[Problem]:
        """Yield what works, and is still not as it should be."""
        return iter(())

    @classmethod
    def problems_of_rest(cls, data: Any, faulty: Collection[Loc]) -> Iterator[Problem]:
        """Yield problems of a document in which some values are ill formed, as far as they can be seen.

        Parameters
        ----------
        data
            The document as it was read.
        faulty
            Paths of the ill-formed values; these are told already.
        """
        return iter(())


_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(/\d+)?")
_WITH_UNIT = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*([a-zA-Z%]+)")
_COMMA = re.compile(r"[+-]?\d+,\d+")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_RATIO = re.compile(r"(?P<primary>\d+(\.\d+)?)\s*/\s*(?P<secondary>\d+(\.\d+)?)\s*(A|V)?")


def exact(value: object) -> Fraction:
    """Return the exact number that quoted text stands for.

    Parameters
    ----------
    value
        Text such as ``"0.001"`` or ``"13/110"``, or a whole number.

    Raises
    ------
    ValueError
        If it is a float (its digits are not the ones in the file) or no number.

    Examples
    --------
    >>> exact("0.001")
    Fraction(1, 1000)
    """
    if isinstance(value, Fraction) or (isinstance(value, int) and not isinstance(value, bool)):
        return Fraction(value)
    if isinstance(value, float):
        raise ValueError(f'must be quoted text to stay exact: "{Decimal(repr(value)):f}", with the quotes')
    if isinstance(value, str) and (found := _WITH_UNIT.fullmatch(value.strip())):
        raise Wrong(
            "must be an exact number alone, without a unit",
            cause=f"{found[2]} is not part of the number",
            next=f'write "{found[1]}", in the unit that the key names or the point has',
        )
    if isinstance(value, str) and _COMMA.fullmatch(value.strip()):
        raise Wrong(
            "must be an exact number with a decimal point",
            cause="a comma is no decimal point",
            next=f'write "{value.strip().replace(",", ".")}" with the quotes if a point is meant',
        )
    if not isinstance(value, str) or not _NUMBER.fullmatch(value.strip()):
        raise ValueError('must be an exact number as quoted text, such as "0.001" or "13/110"')
    try:
        return Fraction(value.strip())
    except ZeroDivisionError:
        raise ValueError("divides by zero") from None


@dataclass(frozen=True, slots=True)
class Ratio:
    """A transformer's ratio as its nameplate writes it, ``400/5`` or ``66000/110``.

    Attributes
    ----------
    primary, secondary
        Rated values of both sides [A] or [V].
    """

    primary: Fraction
    secondary: Fraction

    @property
    def factor(self) -> Fraction:
        """Primary over secondary [1]."""
        return self.primary / self.secondary

    def __str__(self) -> str:
        """Return it as it is configured, ``400/5``."""
        return f"{exact_text(self.primary)}/{exact_text(self.secondary)}"

    def text(self, unit: str) -> str:
        """Return it as a nameplate does, ``400/5 A``."""
        return f"{self} {unit}"


DIRECT = Ratio(Fraction(1), Fraction(1))
"""No transformer: the conductor passes through the meter."""


def _ratio(value: object) -> Ratio:
    if isinstance(value, Ratio):
        return value
    found = _RATIO.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        plain = re.sub(r"[\s,AV]", "", unicodedata.normalize("NFKC", str(value))).replace(":", "/")
        raise Wrong(
            "must be a ratio as on the nameplate, primary/secondary, such as 400/5 or 66000/110",
            next=f"write {plain}" if _RATIO.fullmatch(plain) else "write both numbers, without units",
        )
    primary, secondary = Fraction(found["primary"]), Fraction(found["secondary"])
    if primary == 0 or secondary == 0:
        raise ValueError("must not have 0 on either side of the transformer")
    return Ratio(primary, secondary)


_CT_SECONDARIES = (1, 2, 5)
_VT_SECONDARIES = (50, 240)


def _ct(value: object) -> Ratio:
    ratio = _ratio(value)
    if ratio == DIRECT:
        return ratio
    if ratio.primary in _CT_SECONDARIES and ratio.secondary > ratio.primary:
        raise ValueError("is upside down: a CT is written primary/secondary, such as 400/5")
    if ratio.secondary not in _CT_SECONDARIES:
        raise ValueError(
            "is no CT ratio: secondary sides are 1, 2 or 5 A (IEC 61869-2), "
            f"not {exact_text(ratio.secondary)} A"
        )
    if ratio.primary < ratio.secondary:
        raise ValueError("is no CT ratio: the primary current is below the secondary")
    return ratio


def _vt(value: object) -> Ratio:
    ratio = _ratio(value)
    if ratio == DIRECT:
        return ratio
    low, high = _VT_SECONDARIES
    if ratio.primary < ratio.secondary:
        raise ValueError("is upside down: a VT is written primary/secondary, such as 66000/110")
    if not low <= ratio.secondary <= high:
        raise ValueError(
            f"is no VT ratio: secondary sides are {low} to {high} V, not {exact_text(ratio.secondary)} V"
        )
    return ratio


def _positive(value: object) -> Fraction:
    number = exact(value)
    if number <= 0:
        raise ValueError("must be above 0")
    return number


def _not_negative(value: object) -> Fraction:
    number = exact(value)
    if number < 0:
        raise ValueError("must not be negative")
    return number


def _zone(value: object) -> ZoneInfo:
    if isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo(value if isinstance(value, str) else "")
    except (ZoneInfoNotFoundError, ValueError):
        near = difflib.get_close_matches(str(value), available_timezones(), n=1, cutoff=0.7)
        raise Wrong(
            "is no time zone name, such as Asia/Tokyo",
            cause=f"did you mean {near[0]}?" if near else "abbreviations such as JST are not unique",
            next=f"write {near[0]}" if near else "write continent and city, such as Asia/Tokyo",
        ) from None


def _id(value: str) -> str:
    if not _ID.fullmatch(value):
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", value).strip("-")[:64]
        raise Wrong(
            "must be a name of 1 to 64 letters, digits, - and _",
            cause="it becomes part of topics and of points' names",
            next=f"write {plain}" if plain else "choose another name",
        )
    return value


def host_name(value: str) -> str:
    """Return a host name or address.

    Raises
    ------
    Wrong
        If it is empty, a URL, or has a port.
    """
    if not value or any(letter.isspace() for letter in value):
        raise Wrong("must be a host name or address", next="write one, such as 192.0.2.12")
    if re.fullmatch(r"[\d.]+", value):
        try:
            ipaddress.IPv4Address(value)
        except ValueError as error:
            raise Wrong("is no IP address", cause=str(error).lower()) from None
    if "://" in value or "/" in value:
        bare = value.partition("://")[2] or value
        bare = re.split(r"[:/]", bare, maxsplit=1)[0]
        raise Wrong(
            "must be a host name or address, not a URL",
            cause="host and port are keys of their own",
            next=f"write {bare}" if bare else "write host and port",
        )
    name, _, port = value.rpartition(":")
    if name.count(":") == 0 and port.isdigit() and name:
        raise Wrong(
            "must be a host name or address, without a port",
            cause="the port is a key of its own",
            next=f"write host: {name} and port: {port}",
        )
    return value


def _month(value: str) -> str:
    if not _MONTH.fullmatch(value):
        raise ValueError("must be a month, such as 2024-02")
    return value


Exact = Annotated[Fraction, PlainValidator(exact), PlainSerializer(exact_text)]
PositiveExact = Annotated[Fraction, PlainValidator(_positive), PlainSerializer(exact_text)]
NotNegativeExact = Annotated[Fraction, PlainValidator(_not_negative), PlainSerializer(exact_text)]
CtRatio = Annotated[Ratio, PlainValidator(_ct), PlainSerializer(str)]
VtRatio = Annotated[Ratio, PlainValidator(_vt), PlainSerializer(str)]
TimeZone = Annotated[ZoneInfo, PlainValidator(_zone), PlainSerializer(str)]
Id = Annotated[str, AfterValidator(_id)]
Port = Annotated[int, Field(ge=1, le=65535)]
Host = Annotated[str, AfterValidator(host_name)]
Month = Annotated[str, AfterValidator(_month)]


class Names(Model):
    """A name in both languages; never empty."""

    ja: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]
