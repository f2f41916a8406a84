"""`seiren tail`: what passes on the broker, readably."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from collector.ledger import Ledger, open_ledger
from config.hq import HqConfig
from core.delivery import messages, topics
from core.delivery.frames import Frame
from core.delivery.messages import Ack, AnyMessage, Data, Head, Inventory, Life, Status, Table, Want
from core.delivery.payload import TimeUnknown, decode_payload
from core.delivery.tables import PointTable
from core.errors import ConfigError, OutsideError, WireError, printable
from core.runtime.mqtt import MqttSession
from core.timeline import UTC_ZONE, format_local

_ALL = f"{topics.ROOT}/#"


async def follow(
    folder: Path,
    hq: HqConfig,
    show: Callable[[str], None],
    *,
    readings: bool = False,
    limit: int | None = None,
) -> None:
    """Show each message of the broker until cancelled.

    Parameters
    ----------
    show
        Takes one line at a time.
    readings
        Whether each reading has a line of its own.
    limit
        End after so many messages [1]; None: never.

    Raises
    ------
    ConfigError
        The configuration names no broker.
    OutsideError
        The broker refuses the subscription.
    """
    if hq.broker is None:
        raise ConfigError("the configuration names no broker", where=str(folder / "hq.yaml"))
    tables = _Tables(folder, hq)
    seen = 0
    done = asyncio.Event()

    def hear(topic: str, payload: bytes) -> None:
        nonlocal seen
        if readings:
            tables.learn(payload)
        for line in describe(topic, payload, tables.get, readings=readings):
            show(line)
        seen += 1
        if limit is not None and seen >= limit:
            done.set()

    session = MqttSession(
        hq.broker.host,
        hq.broker.port,
        f"seiren-tail-{secrets.token_hex(4)}",
        subscriptions=[_ALL],
        on_message=hear,
        security=hq.broker.security,
    )
    running = asyncio.create_task(session.run())
    ending = asyncio.create_task(done.wait())
    try:
        await asyncio.wait([running, ending], return_when=asyncio.FIRST_COMPLETED)
        await session.close()
        await running
    finally:
        for task in (running, ending):
            task.cancel()


def describe(
    topic: str, payload: bytes, table: Callable[[str], PointTable | None], *, readings: bool = False
) -> Iterator[str]:
    """Yield lines that say what a message is.

    Parameters
    ----------
    table
        Gives a point table by its digest, if it is known.
    readings
        Whether each reading has a line of its own.
    """
    for line in _described(topic, payload, table, readings=readings):
        yield printable(line)  # whoever may publish must not speak to this terminal


def _described(
    topic: str, payload: bytes, table: Callable[[str], PointTable | None], *, readings: bool
) -> Iterator[str]:
    short = topic.removeprefix(f"{topics.ROOT}/")
    try:
        heard = topics.parse(topic)
        message = messages.decode(payload)
    except WireError as error:
        yield f"{short}  NOT OF THE PROTOCOL  {error.what}: {error.evidence}"
        return
    if not isinstance(message, Data) or heard.lane is None:
        yield f"{short}  {_summary(message)}"
        return
    for frame in message.whole(heard.agent, heard.lane):
        yield f"{short}  frame {frame.epoch[:8]}/{frame.index}, {frame.n} readings, id {frame.id[:8]}"
        if readings:
            yield from _readings(frame, table(frame.table))


def _summary(message: AnyMessage) -> str:
    match message:
        case Data():
            return f"data on a topic that is no lane, {len(message.frames)} frames"
        case Table():
            return f"point table {message.digest[:8]}, {len(message.points)} points"
        case Inventory():
            frames = sum(block.frames for block in message.blocks)
            part = f", part {message.part + 1} of {message.parts}" if message.parts > 1 else ""
            return (
                f"inventory {message.number}{part}: {frames} frames on disk, {len(message.gone)} ranges gone"
            )
        case Ack():
            held = len(message.ids) + sum(block.frames for block in message.held)
            need = f", needs {len(message.need)} tables" if message.need else ""
            refused = f", refuses {len(message.refused)}" if message.refused else ""
            return f"ack of {held} frames, {message.lane}, life {message.life[:8]}{need}{refused}"
        case Want():
            return f"wants {sum(each.frames for each in message.ranges)} frames, {message.lane}"
        case Life():
            state = "alive" if message.alive else "gone"
            return f"ledger {message.ledger} is {state}, life {message.life[:8]}"
        case Head():
            return ", ".join(
                f"{lane} {head.frames} frames of {head.epoch[:8]}, {head.readings_of_all_epochs} readings"
                for lane, head in message.lanes.items()
            )
        case Status():
            return message.state


def _readings(frame: Frame, table: PointTable | None) -> Iterator[str]:
    if table is None:
        yield f"    its point table {frame.table[:8]} is not known here"
        return
    try:
        taken, events = decode_payload(frame, table)
    except TimeUnknown as error:
        yield f"    {error.what}"
        return
    except WireError as error:
        yield f"    {error.what}: {error.evidence}"
        return
    rows = {row.point: row for row in table.rows}
    for each in taken:
        time = format_local(each.time_ms, UTC_ZONE)
        row = rows[each.point]
        count = "no reading" if each.count is None else f"{each.count} x {row.scale} {row.unit}"
        yield f"    {time}  {each.point}  {count}{('', '  uncertain', '  bad')[each.quality]}"
    for event in events:
        yield f"    event {dict(event)}"


class _Tables:
    """Point tables from the ledger of the folder, if there is one."""

    def __init__(self, folder: Path, hq: HqConfig) -> None:
        self._known: dict[str, PointTable] = {}
        self._ledger: Ledger | None
        try:
            self._ledger = open_ledger(folder, hq)
        except OutsideError:
            self._ledger = None

    def learn(self, payload: bytes) -> None:
        """Keep a point table that passes: the ledger may not have it, or not yet."""
        with suppress(WireError):
            message = messages.decode(payload)
            if isinstance(message, Table):
                self._known[message.digest] = message.table

    def get(self, digest: str) -> PointTable | None:
        """Return a table by its digest."""
        if digest not in self._known and self._ledger is not None:
            found = self._ledger.table(digest)
            if found is not None:
                self._known[digest] = found
        return self._known.get(digest)
