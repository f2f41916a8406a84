"""A point's line at one instant, with the boundary that shows it: by registers, beyond them, or as frozen."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace

from core.metering.boundaries import Boundary, Method, RegisterReading, boundary
from core.metering.gaps import Gap
from core.metering.line import Line, Worth


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a point's line stands at an instant.

    Parameters
    ----------
    boundary
        The register then.
    bare
        What the registers alone say of it by now.
    index
        Of the piece of the line; None where nothing is known.
    run
        Its run [1]; marks of different runs have no difference.
    wh
        The line [Wh].
    open_wh
        How far it is from where the line would be if nothing were frozen [Wh].
    """

    boundary: Boundary
    bare: Boundary
    index: int | None = None
    run: int = 0
    wh: int = 0
    open_wh: int = 0


def mark(line: Line, time_ms: int) -> Mark:
    """Return where a line stands at an instant [ms since 1970 UTC]."""
    bare = boundary(line.counter, time_ms)
    index = line.index_at(time_ms)
    if index is None:
        return Mark(bare, bare)
    piece = line.pieces[index]
    if isinstance(piece.source, Worth) and bare.accumulated is not None:
        return Mark(bare, bare, index, piece.run, piece.offset + piece.source.wh(bare.accumulated))
    wh = line.wh_at(index, time_ms)
    if bare.method is not Method.MISSING:
        return Mark(bare, bare, index, piece.run, wh)
    method = Method.INTERPOLATED if isinstance(piece.source, Gap) else Method.SUBSTITUTED
    return Mark(_beyond(line, bare, method, wh, piece.run), bare, index, piece.run, wh)


def frozen_mark(line: Line, time_ms: int, frozen: Boundary) -> Mark:
    """Return where a line stands at an instant by a register that a closed month has fixed.

    It is counted from the reading that it was taken from, so what was known of both sides since adds nothing
    to one month that it does not take from the other.

    Parameters
    ----------
    line
        The point's line.
    time_ms
        The instant [ms since 1970 UTC].
    frozen
        The boundary as it was; what it accumulated beyond its lower bound counts.
    """
    today = mark(line, time_ms)
    near = frozen.before or frozen.after
    index = None if near is None else line.index_at(near.time_ms)
    if near is None or index is None or frozen.accumulated is None:
        return today
    wh, run = line.wh_at(index, near.time_ms) + frozen.wh_beyond, line.pieces[index].run
    lower = frozen.accumulated if frozen.lower is None else frozen.lower
    steps, width = frozen.accumulated - lower, 0 if frozen.upper is None else frozen.upper - lower
    at = boundary(line.counter, near.time_ms)
    shown = frozen
    if at.accumulated is not None:
        worth = _worth(line, index, near)
        if worth is not None:
            wh += worth.wh(at.accumulated + steps) - worth.wh(at.accumulated)
        value = at.accumulated + steps
        shown = replace(
            frozen,
            time_ms=time_ms,
            accumulated=value,
            lower=at.accumulated,
            upper=at.accumulated + width,
            segment=at.segment,
        )
    if today.index is None or today.run != run:
        return Mark(shown, shown, index, run, wh)
    return Mark(shown, today.bare, today.index, run, wh, abs(wh - today.wh))


def _worth(line: Line, index: int, near: RegisterReading) -> Worth | None:
    """Return what a step is worth at a reading: by the piece that holds it, or the one that ends with it."""
    for piece in (line.pieces[index], line.pieces[index - 1] if index else line.pieces[index]):
        if isinstance(piece.source, Worth) and piece.end_ms >= near.time_ms:
            return piece.source
    return None


def _beyond(line: Line, bare: Boundary, method: Method, wh: int, run: int) -> Boundary:
    """Return a boundary that lies beyond the registers, by the nearest reading on the same run."""
    counter = line.counter
    for near in (bare.before, bare.after):
        index = None if near is None else line.index_at(near.time_ms)
        if near is None or index is None or line.pieces[index].run != run:
            continue
        reading = bisect_right(counter.times_ms, near.time_ms) - 1
        segment = counter.segment_of(reading)
        accumulated, wrap = counter.accumulated[reading], counter.register_of(segment).wrap_steps
        return replace(
            bare,
            method=method,
            accumulated=accumulated,
            count=accumulated if wrap is None else accumulated % wrap,
            lower=accumulated,
            upper=accumulated,
            segment=segment,
            wh_beyond=wh - line.wh_at(index, near.time_ms),
        )
    return replace(bare, method=method)
