"""What an agent sends, when, and on whose word it forgets."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from itertools import pairwise

import pytest

from core.delivery.actions import (
    Action,
    Free,
    GiveUp,
    SenderSettings,
    SendFrames,
    SendHead,
    SendInventory,
    SendTable,
    Unhold,
)
from core.delivery.frames import Lane, block_digest
from core.delivery.messages import Ack, Block, Life, Range, Want
from core.delivery.outbox import REFUSALS
from core.delivery.sender import Sender
from core.delivery.shelf import ENVELOPE_BYTES, Written

EPOCH, TABLE, OTHER_TABLE = "e" * 32, "a" * 32, "b" * 32
SETTINGS = SenderSettings(window=2, message_bytes=1000, timeout_ms=1000, longest_ms=3000, spread_ms=0)


def frame_id(at: int) -> str:
    return f"{at:032x}"


class Agent:
    """A sender, its clock, and the collector it talks to."""

    def __init__(self, settings: SenderSettings = SETTINGS, *, jitter: float = 0.0) -> None:
        self._drawn = 0
        self.now_ms = 0
        self.sender = Sender("hq", draw=self._draw, jitter=lambda: jitter, settings=settings)
        self.numbers: dict[Lane, str] = {}

    def _draw(self) -> str:
        self._drawn += 1
        return f"{self._drawn:016x}"

    def write(
        self,
        lane: Lane,
        first: int,
        frames: int = 1,
        *,
        size: int = 100,
        table: str = TABLE,
        epoch: str = EPOCH,
    ) -> None:
        self.sender.on_written(
            [
                Written(lane, epoch, at, 1, frame_id(at), table, size - ENVELOPE_BYTES)
                for at in range(first, first + frames)
            ],
            self.now_ms,
        )

    def due(self, after_ms: int = 0) -> list[Action]:
        self.now_ms += after_ms
        due = self.sender.due(self.now_ms)
        actions: list[Action] = [one for one in due if not isinstance(one, SendHead)]
        self.numbers.update({one.lane: one.number for one in actions if isinstance(one, SendInventory)})
        return actions

    def life(self, life: str, *, alive: bool = True) -> None:
        message = Life(ledger="hq", ledger_id="0" * 32, life=life, time_ms=0, alive=alive)
        self.sender.on_life(message, self.now_ms)

    def follow(self, life: str) -> None:
        """Have a life answer the inventories of both lanes."""
        self.sender.on_connected(self.now_ms)
        self.life(life)
        self.due()
        for lane, number in self.numbers.items():
            self.sender.on_ack(Ack(life=life, lane=lane, inventory=number))


def messages(actions: Sequence[Action]) -> list[tuple[Lane, list[int]]]:
    return [
        (action.lane, [at for a, b in action.spans for at in range(a, b)])
        for action in actions
        if isinstance(action, SendFrames)
    ]


def freed(actions: Sequence[Action]) -> list[int]:
    return [at for one in actions if isinstance(one, Free) for at in range(one.first, one.end)]


@pytest.fixture
def agent() -> Agent:
    agent = Agent()
    agent.follow("1" * 32)
    return agent


def test_nothing_goes_while_nobody_is_known_to_be_alive() -> None:
    agent = Agent()
    agent.write(Lane.REGISTERS, 0)
    agent.sender.on_connected(0)
    assert agent.due() == []
    agent.life("1" * 32)
    assert [type(one) for one in agent.due()] == [Unhold, SendInventory, SendInventory]
    assert messages(agent.due(5000)) == [], "nor before that life has answered an inventory"


def test_nothing_goes_after_a_collector_fell_silent(agent: Agent) -> None:
    agent.now_ms += SETTINGS.life_ms
    agent.write(Lane.REGISTERS, 0)
    assert agent.due() == []
    assert agent.sender.wake_ms(agent.now_ms) is None
    agent.life("1" * 32)
    assert messages(agent.due()) == [(Lane.REGISTERS, [0])]


def test_nothing_goes_after_the_collectors_last_will(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0)
    agent.life("2" * 32, alive=False)
    assert messages(agent.due()) == [(Lane.REGISTERS, [0])], "the will of another life says nothing"
    agent.write(Lane.REGISTERS, 1)
    agent.life("1" * 32, alive=False)
    assert agent.due(1500) == []


def test_registers_go_before_samples_and_a_table_before_its_frames(agent: Agent) -> None:
    agent.write(Lane.SAMPLES, 0)
    agent.write(Lane.REGISTERS, 0)
    assert agent.due() == [
        SendTable(Lane.REGISTERS, TABLE),
        SendFrames(Lane.REGISTERS, EPOCH, ((0, 1),)),
        SendTable(Lane.SAMPLES, TABLE),
        SendFrames(Lane.SAMPLES, EPOCH, ((0, 1),)),
    ]


def test_messages_are_full_and_bounded_and_no_more_than_the_window_are_under_way(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0, 45)
    assert messages(agent.due()) == [
        (Lane.REGISTERS, list(range(10))),
        (Lane.REGISTERS, list(range(10, 20))),
    ]
    assert messages(agent.due()) == []
    agent.sender.on_ack(Ack(life="1" * 32, lane=Lane.REGISTERS, ids=tuple(map(frame_id, range(10)))))
    assert messages(agent.due()) == [(Lane.REGISTERS, list(range(20, 30)))]


def test_a_stuck_lane_holds_up_no_other(agent: Agent) -> None:
    agent.write(Lane.SAMPLES, 0, 45)
    agent.due()
    agent.write(Lane.REGISTERS, 0)
    assert messages(agent.due()) == [(Lane.REGISTERS, [0])]


def test_a_frame_larger_than_a_message_goes_alone(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0, size=5000)
    agent.write(Lane.REGISTERS, 1, size=5000)
    assert messages(agent.due()) == [(Lane.REGISTERS, [0]), (Lane.REGISTERS, [1])]


def test_frames_of_two_tables_do_not_share_a_message(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0)
    agent.write(Lane.REGISTERS, 1, table=OTHER_TABLE, size=1000)
    assert messages(agent.due()) == [(Lane.REGISTERS, [0]), (Lane.REGISTERS, [1])]


def test_a_message_waits_to_be_filled_while_another_is_under_way_but_not_for_ever(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0)
    assert messages(agent.due()) == [(Lane.REGISTERS, [0])]
    agent.write(Lane.REGISTERS, 1)
    assert messages(agent.due(100)) == []
    agent.write(Lane.REGISTERS, 2)
    assert agent.sender.wake_ms(agent.now_ms) == 1000
    assert messages(agent.due(SETTINGS.linger_ms - 101)) == []
    agent.sender.on_ack(Ack(life="1" * 32, lane=Lane.REGISTERS, ids=(frame_id(0),)))
    assert messages(agent.due()) == [(Lane.REGISTERS, [1, 2])]


def test_what_is_not_acknowledged_goes_again_more_and_more_slowly(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0)
    sent_at = []
    for _ in range(120):
        if messages(agent.due(100)):
            sent_at.append(agent.now_ms)
            agent.life("1" * 32)
    gaps = [later - sooner for sooner, later in pairwise(sent_at)]
    assert gaps == [1000, 2000, 3000, 3000]


def test_jitter_spreads_repetitions() -> None:
    spread = Agent(jitter=0.99)
    spread.follow("1" * 32)
    spread.write(Lane.REGISTERS, 0)
    spread.due()
    assert messages(spread.due(1200)) == []
    assert messages(spread.due(100)) == [(Lane.REGISTERS, [0])]


def test_only_what_was_under_way_goes_again_after_a_lost_connection(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0, 2)
    agent.due()
    agent.sender.on_ack(Ack(life="1" * 32, lane=Lane.REGISTERS, ids=(frame_id(0),)))
    agent.sender.on_disconnected()
    assert messages(agent.due()) == []
    agent.sender.on_connected(agent.now_ms)
    agent.life("1" * 32)
    assert messages(agent.due()) == [(Lane.REGISTERS, [1])]


def test_the_byte_rate_is_kept() -> None:
    agent = Agent(SenderSettings(window=32, message_bytes=1000, spread_ms=0, bytes_per_s=1000))
    agent.follow("1" * 32)
    agent.write(Lane.REGISTERS, 0, 100)
    agent.write(Lane.SAMPLES, 0, 100)
    sent = []
    for _ in range(50):
        sent += messages(agent.due(100))
    assert [lane for lane, _ in sent] == [Lane.REGISTERS] * 5, "5,000 bytes in 5 s, registers first"


def test_a_frame_is_freed_when_its_id_is_acknowledged_and_not_before(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0, 3)
    assert freed(agent.due()) == []
    agent.sender.on_ack(Ack(life="1" * 32, lane=Lane.REGISTERS, ids=(frame_id(1), "9" * 32)))
    assert freed(agent.due()) == [1]
    assert agent.sender.unheld == 2


def test_a_block_frees_only_if_its_digest_is_of_these_very_frames(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0, 2)
    agent.due()
    ids = bytes.fromhex(frame_id(0) + frame_id(1))
    wrong = Block(EPOCH, 0, 2, 2, block_digest(ids[::-1]))
    agent.sender.on_ack(Ack(life="1" * 32, lane=Lane.REGISTERS, held=(wrong,)))
    assert freed(agent.due()) == []
    right = Block(EPOCH, 0, 2, 2, block_digest(ids))
    beyond = Block(EPOCH, 0, 3, 3, block_digest(ids + bytes(16)))
    agent.sender.on_ack(Ack(life="1" * 32, lane=Lane.REGISTERS, held=(beyond, right)))
    assert freed(agent.due()) == [0, 1]


def test_an_ack_of_another_life_is_ignored(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0)
    agent.due()
    agent.sender.on_ack(Ack(life="2" * 32, lane=Lane.REGISTERS, ids=(frame_id(0),)))
    assert freed(agent.due()) == []
    assert agent.sender.ignored_answers == 1


def test_a_new_life_unholds_everything_and_gets_an_inventory(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0, 2)
    agent.due()
    agent.sender.on_ack(Ack(life="1" * 32, lane=Lane.REGISTERS, ids=(frame_id(0),)))
    agent.life("2" * 32)
    actions = agent.due()
    assert freed(actions) == [], "the word of the life before counts no more"
    assert actions[0] == Unhold()
    inventory = next(one for one in actions if isinstance(one, SendInventory) and one.lane is Lane.REGISTERS)
    assert inventory.blocks == (
        Block(EPOCH, 0, 2, 2, block_digest(bytes.fromhex(frame_id(0) + frame_id(1)))),
    )
    agent.sender.on_ack(Ack(life="2" * 32, lane=Lane.REGISTERS, inventory=inventory.number))
    assert messages(agent.due()) == [], "what it listed is neither held nor wanted yet"
    want = Want(life="2" * 32, lane=Lane.REGISTERS, inventory=inventory.number, ranges=(Range(EPOCH, 0, 2),))
    agent.sender.on_want(want)
    assert messages(agent.due()) == [(Lane.REGISTERS, [0, 1])]


def test_an_answer_to_an_inventory_from_before_the_prompt_is_not_followed(agent: Agent) -> None:
    agent.life("2" * 32)
    agent.due()
    number = agent.numbers[Lane.REGISTERS]
    agent.life("3" * 32)
    agent.due()
    agent.sender.on_ack(Ack(life="2" * 32, lane=Lane.REGISTERS, inventory=number))
    assert agent.sender.followed_life is None


def test_a_second_life_is_not_followed_before_it_has_prompted(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0)
    agent.due()
    number = agent.numbers[Lane.REGISTERS]
    agent.sender.on_ack(
        Ack(life="2" * 32, lane=Lane.REGISTERS, inventory=number, ids=(frame_id(0),)),
    )
    assert agent.sender.followed_life == "1" * 32
    assert freed(agent.due()) == []


def test_an_inventory_is_repeated_until_every_block_is_held_or_wanted(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0, 2)
    agent.life("2" * 32)
    agent.due()
    first = agent.numbers[Lane.REGISTERS]
    agent.sender.on_ack(Ack(life="2" * 32, lane=Lane.REGISTERS, inventory=first))
    agent.due(1000)
    second = agent.numbers[Lane.REGISTERS]
    assert second != first
    want = Want(life="2" * 32, lane=Lane.REGISTERS, inventory=second, ranges=(Range(EPOCH, 0, 2),))
    agent.sender.on_ack(Ack(life="2" * 32, lane=Lane.REGISTERS, inventory=second))
    agent.sender.on_want(want)
    agent.due(60_000)
    assert agent.numbers[Lane.REGISTERS] == second


def test_frames_from_before_a_restart_are_offered_first_and_freed_by_one_digest() -> None:
    agent = Agent()
    agent.write(Lane.REGISTERS, 0, 3, epoch="d" * 32)
    agent.follow("1" * 32)
    assert messages(agent.due()) == []
    ids = bytes.fromhex("".join(map(frame_id, range(3))))
    held = Block("d" * 32, 0, 3, 3, block_digest(ids))
    agent.sender.on_ack(Ack(life="1" * 32, lane=Lane.REGISTERS, held=(held,)))
    assert freed(agent.due()) == [0, 1, 2]


def test_an_unknown_table_is_sent_again(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0)
    agent.due()
    agent.sender.on_ack(Ack(life="1" * 32, lane=Lane.REGISTERS, need=(TABLE,)))
    assert agent.due() == [SendTable(Lane.REGISTERS, TABLE)]


def test_a_refused_frame_rests_until_another_life_and_is_given_up_after_three() -> None:
    agent = Agent()
    agent.write(Lane.REGISTERS, 0)
    for i in range(1, REFUSALS + 1):
        life = f"{i:032x}"
        agent.follow(life)
        number = agent.numbers[Lane.REGISTERS]
        want = Want(life=life, lane=Lane.REGISTERS, inventory=number, ranges=(Range(EPOCH, 0, 1),))
        agent.sender.on_want(want)
        assert messages(agent.due()) == [(Lane.REGISTERS, [0])]
        agent.sender.on_ack(Ack(life=life, lane=Lane.REGISTERS, refused=((frame_id(0), "why"),)))
        actions = agent.due(20_000)
        assert messages(actions) == []
        expected = [GiveUp(Lane.REGISTERS, EPOCH, 0, frame_id(0), "why")] if i == REFUSALS else []
        assert [one for one in actions if isinstance(one, GiveUp)] == expected


def test_the_head_is_told_after_frames_are_durable_and_not_at_every_one() -> None:
    agent = Agent()
    agent.sender.on_connected(0)
    agent.sender.due(0)
    heads = 0
    for now_ms in range(0, 5000, 10):
        agent.now_ms = now_ms
        agent.write(Lane.REGISTERS, now_ms // 10)
        heads += sum(isinstance(one, SendHead) for one in agent.sender.due(now_ms))
    assert heads == 4


def test_a_backlog_of_ten_thousand_frames_costs_tens_of_bytes_each() -> None:
    agent = Agent()
    tracemalloc.start()
    for first in range(0, 10_000, 1000):
        agent.write(Lane.REGISTERS, first, 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 800_000
