"""All products whose meters can be simulated, and a meter of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType

from core.errors import UsageError
from simulators.cells import RegisterMap
from simulators.maps import abb_janitza, asian, din_rail, siemens_schneider, sunspec
from simulators.maps.layout import Product
from simulators.meters import Electrical, Source
from simulators.modbus.meter import Meter
from simulators.truth import Truth

PRODUCTS: Mapping[str, Product] = MappingProxyType(
    {
        product.id: product
        for family in (siemens_schneider, abb_janitza, din_rail, asian, sunspec)
        for product in family.PRODUCTS
    }
)

SERIAL = "SIM-0001"


def product_map(
    product: str,
    source: Source,
    circuit: Electrical,
    *,
    serial: str = SERIAL,
    day: Callable[[int], int] | None = None,
) -> RegisterMap:
    """Return the registers of a product.

    Parameters
    ----------
    product
        One of `PRODUCTS`.
    source
        Energy in counts of the product's `worth_wh`, and power.
    circuit
        Voltage, currents, and what is exported.
    serial
        Serial number, where the map holds it.
    day
        What the first of two tariffs counted at a time [ms since 1970-01-01 UTC] of the source's counts.

    Raises
    ------
    UsageError
        If there is no such product.
    """
    model = _product(product)
    return model.map(Truth(source, circuit, model.worth_wh, day), serial)


def product_meter(product: str, source: Source, circuit: Electrical, *, serial: str = SERIAL) -> Meter:
    """Return a meter of a product: its registers, what it is read by, and who it says it is.

    Raises
    ------
    UsageError
        If there is no such product.
    """
    model = _product(product)
    return Meter(
        product_map(product, source, circuit, serial=serial),
        functions=frozenset(model.functions),
        identity={0: model.vendor, 1: model.name, 2: "1.0"},
        max_registers=model.max_registers,
        step=model.step,
    )


def worth_wh(product: str) -> Fraction:
    """Return what a count of the source is worth that drives a product [Wh].

    Raises
    ------
    UsageError
        If there is no such product.
    """
    return _product(product).worth_wh


def _product(product: str) -> Product:
    if product not in PRODUCTS:
        raise UsageError("No such product", evidence=product, next=f"choose from: {', '.join(PRODUCTS)}")
    return PRODUCTS[product]
