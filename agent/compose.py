"""From what the sender asks for to the message itself, read from the spool at the last moment."""

from __future__ import annotations

import logging

from agent.spool.store import FrameStore
from core.delivery.actions import Send, SendFrames, SendHead, SendInventory, SendTable
from core.delivery.messages import Data, Head, Inventory, Message, Table

_LOG = logging.getLogger(__name__)


def compose(action: Send, store: FrameStore, process: str) -> Message | None:
    """Return what an action sends, or None where there is nothing any more.

    Parameters
    ----------
    action
        What is to be sent.
    store
        What is on disk.
    process
        The epoch of this run.

    Raises
    ------
    OutsideError
        If the disk refuses.
    """
    match action:
        case SendFrames(lane, epoch, spans):
            frames = store.read(lane, epoch, spans)
            return Data.of(frames) if frames else None
        case SendTable(_, digest):
            table = store.table(digest)
            if table is None:
                _LOG.error("a point table is gone from the spool", extra={"where": digest})
                return None
            return Table(digest=digest, points=table.rows)
        case SendInventory(_, number, sequence, part, parts, blocks, epochs, gone):
            return Inventory(
                number=number,
                process=process,
                sequence=sequence,
                part=part,
                parts=parts,
                epochs=epochs,
                blocks=blocks,
                gone=gone,
            )
        case SendHead():
            heads = store.heads()
            return Head(lanes=heads) if heads else None
