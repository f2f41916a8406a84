"""What a broker may deliver that nobody sends: words of long ago, forgeries, and rubbish."""

from __future__ import annotations

from core.delivery.frames import Frame, Lane
from core.delivery.messages import Ack, Block, Data, encode
from tests.unit.core.delivery.machine import AGENT
from tests.unit.core.delivery.world import SITE, World


def come_late(world: World) -> None:
    """Let the broker deliver once more what was said some time ago: a life and what it said, and data."""
    life = world.chance.choice(world.said_down)[0]
    said = [(name, data) for of_life, name, data in world.said_down if of_life == life]
    world.down += said[:1] + world.chance.choices(said, k=4)
    for collector in world.collectors if world.said_up else ():
        collector.up += world.chance.choices(world.said_up, k=2)


def forge(world: World) -> None:
    """Let somebody who cannot listen publish acks: of a life that he knows or of frames that he knows."""
    name = world.chance.choice(world.ledgers)
    lives = [one.life for one in world.collectors if one.name == name]
    frames = list(world.frames.values())
    if frames and world.chance.random() < 0.5:
        frame = world.chance.choice(frames)
        forged = Ack(life=world.draw(32), lane=frame.lane, ids=(frame.id,), inventory=world.draw(16))
    else:
        epoch = world.machine.epoch
        block = Block(epoch, 0, world.chance.randint(1, 4), 9, world.draw(32))
        lane = world.chance.choice(list(Lane))
        forged = Ack(life=lives[0], lane=lane, ids=(world.draw(32),), held=(block,))
    world.down.append((name, encode(forged)))


def steal(world: World) -> None:
    """Let another agent send a frame of an epoch that collectors know as ours."""
    if not world.frames:
        return
    frame = world.chance.choice(list(world.frames.values()))
    other = Frame("thief", frame.lane, frame.epoch, frame.index, 1, frame.table, "[]")
    for collector in world.collectors:
        if collector.ledger.owner(frame.epoch) == (SITE, AGENT):
            collector.up.append(("thief", frame.lane, encode(Data.of([other]))))
            world.collect(collector, (len(collector.up) - 1,))


def litter(world: World) -> None:
    """Let somebody publish what no version of the protocol is."""
    garbage = world.chance.choice((b"\x01\xff", b"[" * 500, b'{"v":9,"kind":"data"}', b""))
    for collector in world.collectors:
        collector.up.append((AGENT, Lane.REGISTERS, garbage))
