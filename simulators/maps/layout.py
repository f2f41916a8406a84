"""How a product's map is written down: one line a value, as in the maker's table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from simulators.cells import Cell, Encoder, RegisterMap
from simulators.truth import Truth

_COUNTED = ("Wh", "varh")
_BARE = ("V", "A", "W", "var", "VA", "Hz", "1")


class Layout:
    """Collects the cells of one meter.

    Parameters
    ----------
    truth
        What the meter measures.
    serial
        Its serial number, where the map holds it.
    """

    def __init__(self, truth: Truth, serial: str) -> None:
        self.truth = truth
        self.serial = serial
        self.cells: dict[int, Encoder] = {}
        self._kind = "float32"
        self._lsw_first = False

    def defaults(self, kind: str, *, lsw_first: bool = False) -> None:
        """Set the kind and the word order of the lines that follow and do not say their own."""
        self._kind, self._lsw_first = kind, lsw_first

    def put(self, address: int, name: str, unit: str, scale: str = "1", kind: str = "") -> None:
        """Write one line of the table.

        Parameters
        ----------
        address
            On the wire, of the first word.
        name
            As in `Truth.gauge` and `Truth.count`.
        unit
            Of the scaled value: ``kWh``, ``Wh``, ``kvarh``, ``V``, ``kW``, ``%``, …
        scale
            What multiplies the register to give `unit`.
        kind
            As in `Cell`; empty: the default.
        """
        per = _worth(unit) * Fraction(scale)
        whole = unit.endswith(_COUNTED)
        kind = kind or self._kind
        value = self._counter(name, per, exact=kind.startswith("float")) if whole else self._gauge(name, per)
        self.cells[address] = Cell(kind, value, counter=whole, lsw_first=self._lsw_first)

    def part(self, address: int, name: str, part: Callable[[int], int], kind: str = "") -> None:
        """Write a line whose register shows only a part of a counter of Wh."""
        value = self._counter(name, Fraction(1), exact=False)
        self.cells[address] = Cell(
            kind or self._kind, value, counter=True, lsw_first=self._lsw_first, part=part
        )

    def absent(self, address: int, kind: str) -> None:
        """Write a line of a value that this meter, as it is wired, does not have."""
        words = Cell(kind, lambda _: 0, lsw_first=self._lsw_first).absent()
        self.cells[address] = lambda _: words

    def _gauge(self, name: str, per: Fraction) -> Callable[[int], float]:
        gauge, divisor = self.truth.gauge, float(per)
        return lambda time_ms: gauge(name, time_ms) / divisor

    def _counter(self, name: str, per: Fraction, *, exact: bool) -> Callable[[int], float]:
        """Return whole counts of `per` [Wh], never rounded up; of a float register also what is between."""
        count, ratio = self.truth.count, self.truth.worth_wh / per
        over, under = ratio.numerator, ratio.denominator
        if exact:
            return lambda time_ms: count(name, time_ms) * over / under
        return lambda time_ms: count(name, time_ms) * over // under


def _worth(unit: str) -> Fraction:
    """Return what a unit is in the plain one [1]."""
    if unit == "%":
        return Fraction(1, 100)
    plain = unit in _BARE or unit in _COUNTED
    if not plain and not (unit.startswith("k") and (unit[1:] in _BARE or unit[1:] in _COUNTED)):
        raise ValueError(f"no such unit: {unit}")
    return Fraction(1) if plain else Fraction(1000)


@dataclass(frozen=True, slots=True)
class Product:
    """A device model.

    Parameters
    ----------
    id
        Its name here.
    vendor, name
        As it tells who it is.
    lay
        Writes its map.
    worth_wh
        What one count of the source is worth that drives it [Wh].
    functions
        Modbus functions that read its registers.
    max_registers
        The most that it gives in one reply [words].
    step
        How many words an address stands for.
    """

    id: str
    vendor: str
    name: str
    lay: Callable[[Layout], None]
    worth_wh: Fraction = Fraction(1)
    functions: tuple[int, ...] = (3,)
    max_registers: int = 125
    step: int = 1

    def map(self, truth: Truth, serial: str) -> RegisterMap:
        """Return its registers."""
        layout = Layout(truth, serial)
        self.lay(layout)
        return layout.cells
