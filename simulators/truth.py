"""What is true at a meter's terminals, by the name of each thing, in plain units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from simulators.meters import GRID_HZ, Electrical, Source

_PHASES = {"l1": 0, "l2": 1, "l3": 2}


@dataclass(frozen=True, slots=True)
class Truth:
    """A source in a circuit.

    Parameters
    ----------
    source
        Energy and power.
    circuit
        The rest.
    worth_wh
        What one count of the source is worth [Wh].
    day
        The part of the import that a first tariff counted [counts], where the meter has tariffs.
    """

    source: Source
    circuit: Electrical
    worth_wh: Fraction
    day: Callable[[int], int] | None = field(default=None)

    def gauge(self, name: str, time_ms: int) -> float:
        """Return an instantaneous value [V, A, W, var, VA, Hz or 1] at a time [ms since 1970-01-01 UTC].

        Parameters
        ----------
        name
            ``v_l1n``, ``v_ln_avg``, ``v_ll_avg``, ``i_l1``, ``i_total``, ``p_l1``, ``p_total``, ``q_l1``,
            ``q_total``, ``s_total``, ``pf_total``, ``frequency``; ``v_dc``, ``i_dc`` for direct current.
        time_ms
            The moment.
        """
        circuit = self.circuit
        kind, _, which = name.partition("_")
        watts = self.source.power_w(time_ms)
        phase = _PHASES.get(which.removesuffix("n"))
        if kind == "v":
            if which == "dc":
                return circuit.line_v
            if phase is not None:
                return circuit.phase_v(time_ms, phase)
            mean = sum(circuit.phase_v(time_ms, each) for each in range(3)) / 3
            return mean * 3**0.5 if which == "ll_avg" else mean
        if kind == "i":
            if which == "dc":
                return watts / circuit.line_v
            if phase is not None:
                return circuit.phase_a(time_ms, watts, phase)
            return sum(circuit.phase_a(time_ms, watts, each) for each in range(3))
        share = 1.0 if phase is None else circuit.share(phase)
        if kind == "p":
            return watts * share
        if kind == "q":
            return circuit.reactive_var(watts) * share
        if kind == "s":
            return watts / circuit.power_factor
        return {"pf": circuit.power_factor, "frequency": GRID_HZ}[kind]

    def count(self, name: str, time_ms: int) -> int:
        """Return a register [counts of `worth_wh`] at a time [ms since 1970-01-01 UTC].

        Parameters
        ----------
        name
            ``e_import``, ``e_export``, ``er_import``, ``er_export``, ``e_total``; the first four also of one
            tariff, ``e_import_t1``.
        time_ms
            The moment.
        """
        imported = self.source.count(time_ms)
        tariff = name[-3:] if name[-3:] in ("_t1", "_t2") else ""
        if tariff:
            name = name[:-3]
            first = imported * 2 // 3 if self.day is None else self.day(time_ms)
            imported = first if tariff == "_t1" else imported - first
        if name.startswith("er"):
            imported = int(imported * self.circuit.reactive_var(1.0))
        share = self.circuit.export_share
        exported = imported * share.numerator // share.denominator
        return imported + exported if name == "e_total" else exported if name.endswith("export") else imported
