"""Who bears it: exact shares by which metered energy and fuel fall to products."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from core.carbon.rounding import exact_text
from core.errors import DataError
from core.metering.network import Current, Network
from core.metering.standing import counted_twice

Shares: TypeAlias = Mapping[str, Fraction]
"""Product → share [1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """The rule of one site.

    Attributes
    ----------
    meters
        Meter id → shares of its energy.
    remainder
        Shares of what the boundary set took in and no allocated meter measured; `None`: borne by no product.
    fuels
        Process id → shares of its fuel. A process named here burns fuel every month: a month without a
        line of it is incomplete, and a month without use is told by a line of zero.

    Raises
    ------
    DataError
        If shares do not add up to exactly 1, or one is negative.
    """

    meters: Mapping[str, Shares]
    remainder: Shares | None
    fuels: Mapping[str, Shares]

    def __post_init__(self) -> None:
        for meter, shares in self.meters.items():
            _check(f"meter {meter}", shares)
        if self.remainder is not None:
            _check("the remainder", self.remainder)
        for process, shares in self.fuels.items():
            _check(f"fuel of process {process}", shares)

    def check(self, network: Network) -> None:
        """Check that no energy would be borne twice, or without having been bought.

        Raises
        ------
        DataError
            If an allocated meter is unknown, counts direct current, stands behind another allocated one, or
            is not fed by the boundary set.
        """
        for meter in sorted(self.meters):
            node = network.node(meter)
            if node.current is Current.DC:
                raise DataError(
                    "a DC meter cannot bear electricity that was bought as AC",
                    where=meter,
                    cause="the rectifier's loss would be borne by nobody",
                    next="allocate the AC meter that feeds it",
                )
            if not network.bought(meter):
                raise DataError("an allocated meter is not fed by the boundary set", where=meter)
        for meter, evidence in counted_twice(network.nodes, sorted(self.meters)):
            raise DataError(
                "energy would be borne twice: an allocated meter stands behind another",
                where=meter,
                evidence=evidence,
                next="allocate one of the two",
            )


def _check(what: str, shares: Shares) -> None:
    added = sum(shares.values(), Fraction(0))
    if added != 1 or any(share < 0 for share in shares.values()):
        raise DataError(
            f"the shares of {what} do not add up to 1",
            evidence=", ".join(f"{product} {exact_text(share)}" for product, share in sorted(shares.items()))
            + f"; together {exact_text(added)}",
            cause="a product is missing, or a third was written as 0.33",
            next='write exact shares as quoted text, such as "0.7" or "1/3"',
        )
