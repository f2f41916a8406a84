"""What a device profile says of one value: where it stands, how it is encoded, what it means."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field

from config.strict import Id, Loc, Model, PositiveExact, Problem
from core.errors import DataError
from core.metering.quantities import Kind, Quantity, Unit

MAX_WORDS: Final = 125
"""Most registers of one Modbus request [words]."""


class ValueType(StrEnum):
    """How a device encodes one value.

    ``high`` and ``low``: one byte of a register that holds two numbers. ``bcd``: four decimal digits in
    each word. ``mod10k``: the words are digits of base 10,000; the leading one is signed and may use all
    its 16 bits. ``bit``: a coil, a discrete input (functions 1 and 2), or one bit of a register.
    ``string``: ASCII, two characters in a word, for identity only.
    """

    INT8_HIGH = "int8_high"
    INT8_LOW = "int8_low"
    UINT8_HIGH = "uint8_high"
    UINT8_LOW = "uint8_low"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT48 = "int48"
    UINT48 = "uint48"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BCD16 = "bcd16"
    BCD32 = "bcd32"
    BCD48 = "bcd48"
    BCD64 = "bcd64"
    MOD10K32 = "mod10k32"
    MOD10K48 = "mod10k48"
    MOD10K64 = "mod10k64"
    BIT = "bit"
    STRING = "string"

    @property
    def words(self) -> int:
        """Width [16-bit words]; 1 for a bit (in functions 1 and 2: one bit), 0 for a string of any width."""
        if self is ValueType.STRING:
            return 0
        return 1 if self is ValueType.BIT or self.is_half else int(self.value[-2:]) // 16

    @property
    def is_half(self) -> bool:
        """Whether it is one byte of a register."""
        return self.value.endswith(("_high", "_low"))

    @property
    def pattern_bits(self) -> int:
        """Width of a pattern that is no number [bit]; for a bit that of its register."""
        return 8 if self.is_half else 16 * self.words

    @property
    def is_float(self) -> bool:
        """Whether the device sends an IEEE 754 number."""
        return self.value.startswith("float")

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest integer of the type [counts]; (0, 0) for floats and strings."""
        bits = self.pattern_bits
        if self.is_float or self is ValueType.STRING:
            return 0, 0
        if self is ValueType.BIT:
            return 0, 1
        if self.value.startswith("bcd"):
            return 0, 10 ** (4 * self.words) - 1
        if self.value.startswith("mod10k"):
            unit = 10 ** (4 * self.words - 4)
            return -(2**15) * unit, 2**15 * unit - 1
        return (0, 2**bits - 1) if self.value.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


class WordOrder(StrEnum):
    """Which word of a value comes first."""

    MSW_FIRST = "msw_first"
    LSW_FIRST = "lsw_first"


class ByteOrder(StrEnum):
    """Which byte of a word comes first; Modbus says the big end, and some devices do not listen."""

    BIG = "big"
    LITTLE = "little"


def fits(unit: Unit, quantity: Quantity) -> bool:
    """Return whether a quantity can be told in a unit."""
    try:
        unit.factor_to(quantity.unit)
    except DataError:
        return False
    return True


def _one_address(value: Any) -> Any:
    if isinstance(value, tuple):
        raise ValueError("must be one address; registers that are added stand under compose")
    return value


def _as_tuple(value: Any) -> Any:
    return value if isinstance(value, tuple) else (value,)


def _weight(value: int) -> int:
    if value < 1:
        raise ValueError("must be 1 or more: a part of no weight adds nothing, and a count never subtracts")
    return value


def _several(value: tuple[Part, ...]) -> tuple[Part, ...]:
    if not 2 <= len(value) <= 8:
        raise ValueError("must be 2 to 8 registers that are added; one alone stands under address")
    return value


def _exponents(value: tuple[int, int]) -> tuple[int, int]:
    if value[0] > value[1]:
        raise ValueError("must be the lowest and the highest power of ten, in this order")
    if value[1] - value[0] > 20:
        raise ValueError("spans more than 20 powers of ten; allow those that the device really uses")
    return value


def _one_word(value: ValueType) -> ValueType:
    if value not in (ValueType.INT16, ValueType.UINT16):
        raise ValueError("must be int16 or uint16: a power of ten stands in one register")
    return value


Address = Annotated[int, Field(ge=0, le=0xFFFF)]
Function = Literal[1, 2, 3, 4]
UnitName = Annotated[Unit, Field(strict=False)]
QuantityName = Annotated[Quantity, Field(strict=False)]
TypeName = Annotated[ValueType, Field(strict=False)]
OrderName = Annotated[WordOrder, Field(strict=False)]
ByteOrderName = Annotated[ByteOrder, Field(strict=False)]
Patterns = Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(_as_tuple)]


class Measure(Model):
    """What a count of a point means, whatever it is read by.

    Attributes
    ----------
    scale
        Multiplies the count to give the value in `unit`.
    resolution
        Step in which the count is used [counts]; a float register has one too.
    wrap_at
        The count at which the register starts again from 0 [counts]; None: it never does in practice.
    """

    quantity: QuantityName
    unit: UnitName
    scale: PositiveExact
    resolution: PositiveExact = Fraction(1)
    wrap_at: Annotated[int, Field(gt=1)] | None = None

    def measure_problems(self, loc: Loc, name: Id) -> Iterator[Problem]:
        """Yield where name, quantity, unit and wrap contradict each other."""
        counts = self.quantity.kind is Kind.COUNTER
        if counts and name != self.quantity.value:
            yield Problem(
                (*loc, "quantity"),
                "A counter's point is called after its quantity.",
                evidence=f"{name} holds {self.quantity.value}",
                next=f"call the point {self.quantity.value}",
            )
        if not fits(self.unit, self.quantity):
            yield Problem(
                (*loc, "unit"),
                f"The unit does not fit {self.quantity.value}.",
                evidence=self.unit.value,
                next="use a unit of the quantity's kind",
            )
        if self.wrap_at is not None and not counts:
            yield Problem(
                (*loc, "wrap_at"),
                "Only a counter starts again from 0.",
                evidence=f"{self.quantity.value} is a gauge",
                next="remove wrap_at",
            )


class Part(Model):
    """One of several registers that make a count; `type` is the point's where none is given."""

    address: Address
    type: TypeName | None = None
    weight: Annotated[int, AfterValidator(_weight)] = 1


class ScaleRegister(Model):
    """A register that holds the power of ten of a value beside it.

    count = raw × 10^(register - exponents[0]), so that `scale` is what one count is worth at the lowest
    exponent. A register outside `exponents`, or in `not_available`, leaves no value.
    """

    address: Address
    type: Annotated[TypeName, AfterValidator(_one_word)]
    exponents: Annotated[tuple[int, int], AfterValidator(_exponents)]
    not_available: Patterns = ()


class Place(NamedTuple):
    """Registers that one number takes: `address` to `end`, which is the first one after it [word]."""

    address: int
    type: ValueType
    weight: int

    @property
    def end(self) -> int:
        """First register after it [word]."""
        return self.address + self.type.words


class ProfilePoint(Measure):
    """One value of a device.

    Attributes
    ----------
    address
        Wire address of the first word, 0-based; of the bit in functions 1 and 2.
    compose
        Instead: registers read in one request whose weighted sum is the count.
    not_available
        Bit patterns, unsigned and as wide as the type, by which the device says that it has no value.
    volatile
        The register starts again from 0 when the meter loses power.
    warmup_s
        So long after it starts, the meter may still show 0 [s]; such zeros are set aside.
    """

    address: Annotated[Address, BeforeValidator(_one_address)] | None = None
    compose: Annotated[tuple[Part, ...], AfterValidator(_several)] | None = None
    type: TypeName
    function: Function | None = None
    bit: Annotated[int, Field(ge=0, le=15)] | None = None
    word_order: OrderName | None = None
    byte_order: ByteOrderName | None = None
    not_available: Patterns = ()
    scale_register: ScaleRegister | None = None
    volatile: bool = False
    warmup_s: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 0

    @property
    def places(self) -> tuple[Place, ...]:
        """Registers whose weighted sum is the count; one for most points."""
        if self.compose is not None:
            return tuple(Place(part.address, part.type or self.type, part.weight) for part in self.compose)
        return () if self.address is None else (Place(self.address, self.type, 1),)

    @property
    def span(self) -> tuple[int, int]:
        """First register and the first one after all that the value needs, its power of ten too [word]."""
        places = [*self.places]
        if self.scale_register is not None:
            places.append(Place(self.scale_register.address, self.scale_register.type, 1))
        return min(place.address for place in places), max(place.end for place in places)
