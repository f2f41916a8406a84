"""From the parts of a running agent to the facts that it tells, worked out only when somebody asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version

from agent.board import Board
from agent.health.device_facts import device_facts, known_of
from agent.health.facts import (
    BrokerFacts,
    BusFacts,
    DeviceFacts,
    Facts,
    Fault,
    LaneFacts,
    Lateness,
    LedgerFacts,
    SpoolFacts,
)
from agent.health.safety import MEASURED_S
from agent.modbus.device import ModbusDevice
from agent.readings import Source
from agent.spool import Spool
from agent.uplink import Uplink
from config.agent import AgentConfig
from core.delivery.frames import Lane
from core.errors import OutsideError

_DAY_S = 86_400
_AT_A_TIME = 50


class Status:
    """Answers how the agent fares.

    Parameters
    ----------
    config
        The agent's configuration.
    board
        How its devices are.
    sources
        What they are read from, by device.
    spool, uplink
        What is on the disk, and what of it waits.
    now_ms
        The clock that readings carry [ms since 1970 UTC].
    monotonic
        For durations [s].
    """

    def __init__(
        self,
        config: AgentConfig,
        *,
        board: Board,
        sources: Mapping[str, Source],
        spool: Spool,
        uplink: Uplink,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._board, self._sources = config, board, sources
        self._spool, self._uplink, self._now_ms = spool, uplink, now_ms
        self._monotonic = monotonic
        self._began_s, self._began_bytes = monotonic(), sum(spool.store.appended_bytes.values())
        self._known = tuple(known_of(config, device) for device in config.devices)
        self._version = version("seiren")

    async def facts(self) -> Facts:
        """Return all facts; many devices are told of in several steps, between which others work."""
        devices: list[DeviceFacts] = []
        for number, known in enumerate(self._known):
            if number % _AT_A_TIME == _AT_A_TIME - 1:
                await asyncio.sleep(0)
            devices.append(
                device_facts(known, self._board.devices.get(known.device.id), self._sources[known.device.id])
            )
        config, board, now_ms = self._config, self._board, self._now_ms()
        late = board.lateness
        return Facts(
            agent=config.agent,
            site=config.site,
            time_zone=config.time_zone.key,
            version=self._version,
            time_ms=now_ms,
            started_ms=board.started_ms,
            broker=self._broker(now_ms),
            ledgers=self._ledgers(now_ms),
            lanes={lane.value: self._lane(lane) for lane in Lane},
            spool=self._disk(),
            lateness_ms=Lateness(p50=late.p50, p99=late.p99, max=late.max),
            buses=self._buses(),
            devices=tuple(devices),
        )

    def _broker(self, now_ms: int) -> BrokerFacts:
        uplink, broker = self._uplink, self._config.broker
        return BrokerFacts(
            where=f"{broker.host}:{broker.port}",
            connected=uplink.connected,
            since_ms=now_ms - round(uplink.since_s * 1000),
            fault=Fault.of(uplink.fault) if uplink.fault is not None else None,
            certificate_ends_ms=uplink.certificate_ends_ms,
        )

    def _ledgers(self, now_ms: int) -> tuple[LedgerFacts, ...]:
        return tuple(
            LedgerFacts(
                name=name,
                alive=state.alive,
                heard_ms=None if state.heard_s_ago is None else now_ms - round(state.heard_s_ago * 1000),
                untrusted_id=state.untrusted_id,
                in_turn=state.in_turn,
            )
            for name, state in self._uplink.ledgers().items()
        )

    def _lane(self, lane: Lane) -> LaneFacts:
        waiting = self._uplink.waiting(lane)
        oldest_ms = None
        if waiting.oldest is not None:
            try:
                oldest_ms = self._spool.store.time_of(lane, *waiting.oldest)
            except OutsideError:
                oldest_ms = None  # the disk will tell the agent itself soon enough
        return LaneFacts(
            due=self._board.due[lane],
            taken=self._board.taken[lane],
            skipped=self._board.skipped[lane],
            waiting_readings=waiting.readings,
            waiting_frames=waiting.frames,
            lost_by_reason=dict(self._spool.store.lost_readings(lane)),
            oldest_ms=oldest_ms,
        )

    def _disk(self) -> SpoolFacts:
        store, room = self._spool.store, self._spool.room
        measured_s = self._monotonic() - self._began_s
        grown = sum(store.appended_bytes.values()) - self._began_bytes
        return SpoolFacts(
            path=str(store.path),
            bytes=room.bytes,
            free_bytes=room.free_bytes,
            bytes_per_day=round(grown * _DAY_S / measured_s) if measured_s >= MEASURED_S else None,
            measured_s=int(measured_s),
            limit_bytes=room.limit_bytes,
            waiting_bytes=room.waiting_bytes,
            alarm=room.alarm,
            registers_reserve_bytes=room.registers_reserve_bytes,
            registers_left_bytes=room.registers_left_bytes,
            samples_left_bytes=room.samples_left_bytes,
            registers_bytes_per_day=room.registers_bytes_per_day,
        )

    def _buses(self) -> tuple[BusFacts, ...]:
        found: dict[str, BusFacts] = {}
        for known in self._known:
            source = self._sources[known.device.id]
            if known.bus in found:
                continue
            if isinstance(source, ModbusDevice):
                stats = source.stats
                found[known.bus] = BusFacts(
                    name=known.bus,
                    where=source.bus,
                    connected=stats.connected,
                    connects=stats.connects,
                    requests=stats.requests,
                    timeouts=stats.timeouts,
                    exceptions=stats.exceptions,
                    discarded=stats.discarded,
                )
            else:
                found[known.bus] = BusFacts(name=known.bus, where=source.bus)
        return tuple(found.values())
