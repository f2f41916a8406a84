"""The running agent: what was read is on the disk when it has stopped; what ends it is said plainly."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from agent.memory import Memory
from agent.service import serve
from agent.spool import Spool
from config.agent import AgentConfig
from config.loading import load_agent
from core.delivery.payload import decode_payload
from core.errors import OutsideError
from core.runtime.clock import Hook, WallClock
from tests.unit.agent.fake_modbus import Asked, Send, fake_meter, refusal, reply

CONFIG = """
agent: aoba-1
site: aoba
time_zone: Asia/Tokyo
broker: {{host: 127.0.0.1, port: {broker}}}
required_ledgers: [hq]
registers: {{every_s: 0.05, boundary_margin_ms: 0}}
devices:
  - id: ALIVE
    profile: schneider_pm5xxx
    modbus: {{host: 127.0.0.1, port: {meter}, unit: 1, timeout_s: 0.5}}
    points: [active_energy_import]
  - id: DEAD
    profile: schneider_pm5xxx
    modbus: {{host: 127.0.0.1, port: {dead}, unit: 1, timeout_s: 0.5}}
    points: [active_energy_import]
"""


@pytest.fixture
def configured(tmp_path: Path, free_port: Callable[[], int]) -> Callable[[int], AgentConfig]:
    """Return a configuration for a meter at a port; neither the broker nor the other meter is there."""

    def configure(meter: int) -> AgentConfig:
        path = tmp_path / "agent.yaml"
        path.write_text(CONFIG.format(meter=meter, broker=free_port(), dead=free_port()), encoding="utf-8")
        return load_agent(path)

    return configure


class Counting:
    """A meter whose register counts its readings, and which has the agent told to stop at the sixth."""

    def __init__(self, number: signal.Signals) -> None:
        self.count, self.number = 0, number

    async def __call__(self, asked: Asked, send: Send) -> None:
        if asked.count != 4:  # it is asked what it is
            send(refusal(asked, 2))
            return
        self.count += 1
        send(reply(asked, [0, 0, 0, self.count]))
        if self.count == 6:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_told_to_stop_all_that_was_read_is_on_the_disk(
    number: signal.Signals, configured: Callable[[int], AgentConfig], caplog: pytest.LogCaptureFixture
) -> None:
    before = signal.getsignal(number)
    meter = Counting(number)
    async with fake_meter(meter) as peer, asyncio.timeout(10):
        config = configured(peer.port)
        with caplog.at_level(logging.INFO, logger="agent"):
            await serve(config, WallClock())
    assert signal.getsignal(number) == before

    spool = Spool(config.spool, config.agent)
    counts, happened = [], list[Mapping[str, Any]]()
    for written in spool.store.take_backlog():
        for frame in spool.store.read(written.lane, written.epoch, [(written.at, written.at + 1)]):
            table = spool.store.table(frame.table)
            assert table is not None
            readings, events = decode_payload(frame, table)
            happened += events
            counts += [(reading.point, reading.count) for reading in readings]
    await spool.close()
    (day,) = [event for event in happened if event["event"] == "polled"]
    account = day["lanes"]["registers"]
    assert account["taken"] >= 5 and account["silent"] > 0 and account["missing"]["DEAD"] > 0
    assert Memory(config.spool).polled["since_ms"] == day["since_ms"]
    assert counts[:5] == [("ALIVE.active_energy_import", number) for number in range(1, 6)]
    assert [message for message in caplog.messages if "silent" in message] == [
        "DEAD is silent: No connection"
    ]
    assert caplog.messages[-1] == "aoba-1 stopped; what it read is on the disk"


class EndingClock:
    """A clock that is gone at the first sleep."""

    jumps = 0

    def now_ms(self) -> int:
        return 0

    async def sleep_until(self, time_ms: int) -> None:
        raise OutsideError("The conductor of the stepped clock is gone")

    def pacer(self) -> AbstractContextManager[None]:
        return nullcontext()

    def before_advance(self, hook: Hook) -> None:
        pass


async def test_what_ends_the_agent_comes_out_as_one_error(configured: Callable[[int], AgentConfig]) -> None:
    with pytest.raises(OutsideError, match="conductor"):
        await serve(configured(1), EndingClock())


async def test_a_spool_that_cannot_be_made_is_an_error_of_the_outside(
    configured: Callable[[int], AgentConfig],
) -> None:
    config = configured(1)
    config.spool.write_text("a file where the folder should be")
    with pytest.raises(OutsideError):
        await serve(config, WallClock())
