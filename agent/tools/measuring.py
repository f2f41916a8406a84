"""What a device can bear, found gently: how fast it answers, the pause it needs, the registers at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agent.modbus.bus import RefusedError
from agent.modbus.plan import Block, is_bits
from agent.tools.asking import GENTLE_S, Asker, OutOfRequests
from core.errors import OutsideError

_LATENCY_READS: Final = 20
_BURST: Final = 6
GAPS_MS: Final = (0, 10, 20, 50, 100, 200)
"""Pauses that are tried, in this order [ms]."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many registers a device gives at once.

    Attributes
    ----------
    words
        The most that it gave [words].
    refused
        How it refused more; empty where it gave 125.
    """

    words: int
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured.

    Attributes
    ----------
    p50_ms, p99_ms
        How long a reply takes [ms].
    lost
        Of the gentle reads, how many stayed without a reply [1].
    gap_ms
        The smallest pause with which none is lost [ms]; None: even 200 ms loses some.
    limit
        None: not measured.
    """

    p50_ms: float
    p99_ms: float
    lost: int
    gap_ms: int | None
    limit: Limit | None


async def measure(asker: Asker, blocks: Sequence[Block]) -> Measured:
    """Measure a device that has just answered.

    Parameters
    ----------
    asker
        Whom.
    blocks
        What it answers to.
    """
    block = min(blocks, key=lambda each: each.count)
    asker.round_trips_ms.clear()
    lost = 0
    for _ in range(_LATENCY_READS):
        lost += not await _answers(asker, block)
    times = sorted(asker.round_trips_ms) or [0.0]
    gentle_s, asker.gap_s, asker.patient = asker.gap_s, 0.0, False
    gap = await _needed_gap(asker, block)
    asker.gap_s = max(gentle_s, (gap or 0) / 1000)
    limit = await _limit(asker, max(blocks, key=lambda each: each.count))
    asker.gap_s, asker.patient = gentle_s, True
    return Measured(_share(times, 0.5), _share(times, 0.99), lost, gap, limit)


def _share(times: Sequence[float], share: float) -> float:
    return times[max(0, math.ceil(share * len(times)) - 1)]


async def _answers(asker: Asker, block: Block, *, within_s: float | None = None) -> bool:
    try:
        await asker.words(block.function, block.address, block.count, within_s=within_s)
    except OutOfRequests:
        raise
    except RefusedError:
        return True
    except OutsideError:
        return False
    return True


async def _needed_gap(asker: Asker, block: Block) -> int | None:
    for gap_ms in GAPS_MS:
        for _ in range(_BURST):
            if not await _answers(asker, block):
                await asker.pause(0.5)
                break
            if gap_ms:
                await asker.pause(gap_ms / 1000)
        else:
            return gap_ms
    return None


async def _limit(asker: Asker, block: Block) -> Limit | None:
    """Ask for 125 registers from where the largest block starts, and for half as many while refused."""
    if is_bits(block.function):
        return None
    words, refused = 125, ""
    while words > block.count:
        try:
            await asker.words(block.function, min(block.address, 0x10000 - words), words)
        except RefusedError as error:
            refused = error.evidence
            words //= 2
            continue
        except OutsideError as error:
            refused = error.evidence
            words //= 2
            await asker.pause(max(GENTLE_S, 0.5))
            continue
        return Limit(words, refused)
    return Limit(block.count, refused)
