"""A backlog over a slow link, in virtual time: the real sender, spool and encoding over a modelled link."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from math import ceil
from pathlib import Path
from random import Random
from typing import Any

from agent.compose import compose
from agent.spool import Spool
from bench.drain_load.load import AGENT, SITE, T0_MS, Load, write
from core.delivery import topics
from core.delivery.actions import Send, SenderSettings, SendFrames, SendHead, SendInventory, SendTable
from core.delivery.answers import AckDraft, on_inventory
from core.delivery.frames import Lane
from core.delivery.inventory import Past
from core.delivery.messages import Ack, Data, Inventory, Life, Range, Want, decode, encode
from core.delivery.sender import Sender

LATENCY_MS = 50
LEDGER, LIFE = "hq", "1" * 32


def mqtt_bytes(topic: str, payload: int) -> int:
    """Return the size of a QoS 1 message [bytes]: fixed header, topic, packet id, payload."""
    rest = 2 + len(topic) + 2 + payload
    digits = 1 + (rest >= 128) + (rest >= 128**2) + (rest >= 128**3)
    return 1 + digits + rest


class SlowLink:
    """One agent, one ledger that holds everything, and a link between them; time is virtual.

    The ledger answers by the receiver's own code and stores nothing.

    Parameters
    ----------
    spool
        What is on disk, and goes on being written.
    bytes_per_s
        What the link carries in each direction [bytes/s].
    cap
        The agent's own byte rate, or None [bytes/s].
    """

    def __init__(self, spool: Spool, bytes_per_s: int, cap: int | None) -> None:
        random = Random(5)
        self.now_ms = 0
        self.sent_bytes = dict.fromkeys(Lane, 0)
        self.sent_readings = dict.fromkeys(Lane, 0)
        self.held_ms: dict[Lane, list[int]] = {lane: [] for lane in Lane}
        self._spool, self._rate = spool, bytes_per_s
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._free_ms = {"up": 0.0, "down": 0.0}
        self.sender = Sender(
            [LEDGER],
            trusted={},
            past=lambda lane: Past(spool.store.epochs(lane), spool.store.gone(lane)),
            draw=lambda: f"{random.getrandbits(64):016x}",
            jitter=random.random,
            settings=SenderSettings(bytes_per_s=cap),
        )
        spool.listen(lambda frames: self.sender.on_written(frames, self.now_ms), self.sender.on_gone)
        self.sender.on_connected(0)
        self._live()

    def run(self, to_ms: int) -> None:
        """Let time pass."""
        while True:
            for action in self.sender.due(self.now_ms):
                if isinstance(action, SendFrames | SendTable | SendInventory | SendHead):
                    self._send(action)
            wake_ms = self.sender.wake_ms(self.now_ms)
            times = [to_ms, *([self._events[0][0]] if self._events else []), *([wake_ms] if wake_ms else [])]
            self.now_ms = max(self.now_ms, min(times))
            if self.now_ms >= to_ms:
                return
            while self._events and self._events[0][0] <= self.now_ms:
                heapq.heappop(self._events)[2]()

    def _live(self) -> None:
        life = Life(ledger=LEDGER, ledger_id="0" * 32, life=LIFE, time_ms=self.now_ms, alive=True)
        self._down(topics.collector_status(LEDGER), life)
        self._at(self.now_ms + 30_000, self._live)

    def _send(self, action: Send) -> None:
        message = compose(action, self._spool.store, self._spool.epoch)
        assert message is not None
        payload = encode(message)
        if isinstance(action, SendHead):
            topic = topics.head(SITE, AGENT)
        else:
            topic = topics.data(SITE, AGENT, action.lane)
            self.sent_bytes[action.lane] += mqtt_bytes(topic, len(payload))
        there_ms = self._carry("up", mqtt_bytes(topic, len(payload)))
        size = len(topic) + len(payload)
        self._at(there_ms, lambda: self.sender.on_passed(action, size, self.now_ms))
        if not isinstance(action, SendHead):
            self._at(there_ms, lambda: self._answer(action.lane, payload))

    def _answer(self, lane: Lane, payload: bytes) -> None:
        """What a ledger says that holds all it is sent, and nothing before."""
        answers: list[Ack | Want] = []
        match decode(payload):
            case Data() as data:
                draft, frames = AckDraft(), data.whole(AGENT, lane)
                draft.add(frames)
                answers += draft.acks(LIFE, lane)
                self.sent_readings[lane] += sum(frame.n for frame in frames)
                newest_ms = max(int(frame.payload[2:15]) for frame in frames)
                self.held_ms[lane].append(self.now_ms - (newest_ms - T0_MS))
            case Inventory() as inventory:
                wanted = [Range(block.epoch, block.first, block.frames) for block in inventory.blocks]
                answers += on_inventory(inventory, LIFE, lane, held=(), wanted=wanted, need=())
        for answer in answers:
            self._down(topics.ack(SITE, AGENT, LEDGER), answer)

    def _down(self, topic: str, message: Ack | Want | Life) -> None:
        def hear() -> None:
            match message:
                case Life():
                    self.sender.on_life(message, self.now_ms)
                case Ack():
                    self.sender.on_ack(LEDGER, message)
                case Want():
                    self.sender.on_want(LEDGER, message)

        self._at(self._carry("down", mqtt_bytes(topic, len(encode(message)))), hear)

    def _carry(self, way: str, size: int) -> float:
        """When a message has gone through the link [ms]."""
        self._free_ms[way] = max(self._free_ms[way], self.now_ms) + size * 1000 / self._rate
        return self._free_ms[way] + LATENCY_MS

    def _at(self, time_ms: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (ceil(time_ms), next(self._order), what))


async def drained(folder: Path, days: float, bytes_per_s: int, cap: int | None) -> dict[str, Any]:
    """Return how a backlog of registers drains over a slow link, while registers go on and samples wait."""
    registers, samples = Load(Lane.REGISTERS), Load(Lane.SAMPLES)
    backlog_ms = round(days * 86_400_000 / 60_000) * 60_000
    spool = Spool(folder, AGENT, now_ms=lambda: T0_MS + backlog_ms)
    await write(spool, registers, 0, backlog_ms)
    await write(spool, samples, backlog_ms - 600_000, backlog_ms)
    backlog = {lane: spool.store.end(lane)[1] for lane in Lane}
    link = SlowLink(spool, bytes_per_s, cap)
    taken_ms, hours = 0, None
    while hours is None:
        link.run(taken_ms + registers.group_ms)
        await write(spool, registers, backlog_ms + taken_ms, backlog_ms + taken_ms + registers.group_ms)
        taken_ms += registers.group_ms
        if link.sender.waiting(Lane.REGISTERS).frames <= 2:
            hours = taken_ms / 3_600_000
        elif taken_ms > 30 * 86_400_000:
            break
    samples_before = link.sent_readings[Lane.SAMPLES]
    ages_at = len(link.held_ms[Lane.REGISTERS])
    end_ms = taken_ms + 3_600_000
    while taken_ms < end_ms:  # samples have their turn now, and registers must still be on time
        link.run(taken_ms + registers.group_ms)
        await write(spool, registers, backlog_ms + taken_ms, backlog_ms + taken_ms + registers.group_ms)
        taken_ms += registers.group_ms
    ages = sorted(at + backlog_ms for at in link.held_ms[Lane.REGISTERS][ages_at:])
    spool.listen(None, None)
    await spool.close()
    return {
        "virtual_time": True,
        "link_bytes_per_s": bytes_per_s,
        "cap_bytes_per_s": cap,
        "backlog_days": days,
        "backlog_readings": backlog[Lane.REGISTERS],
        "hours_to_drain": hours and round(hours, 2),
        "bytes_on_wire_per_reading": round(
            link.sent_bytes[Lane.REGISTERS] / max(1, link.sent_readings[Lane.REGISTERS]), 2
        ),
        "samples_sent_before_registers_were_drained": samples_before,
        "afterwards_for_an_hour": {
            "samples_sent": link.sent_readings[Lane.SAMPLES] - samples_before,
            "registers_reach_the_ledger_after_s": {
                "p50": round(ages[len(ages) // 2] / 1000, 1),
                "max": round(ages[-1] / 1000, 1),
            },
        },
    }
