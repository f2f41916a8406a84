"""What an agent sends, when, and on whose word it forgets."""

from __future__ import annotations

import tracemalloc
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

import pytest

from core.delivery.actions import (
    Action,
    Free,
    GiveUp,
    Held,
    SenderSettings,
    SendFrames,
    SendHead,
    SendInventory,
    SendTable,
    Trust,
    Unhold,
)
from core.delivery.frames import Lane, block_digest
from core.delivery.inventory import PART_ENTRIES, Past
from core.delivery.messages import Ack, Block, Gone, Life, Range, Want
from core.delivery.outbox import REFUSALS
from core.delivery.sender import Sender
from core.delivery.shelf import ENVELOPE_BYTES, Written

EPOCH, TABLE, OTHER_TABLE = "e" * 32, "a" * 32, "b" * 32
SETTINGS = SenderSettings(window=2, message_bytes=1000, timeout_ms=1000, longest_ms=3000, spread_ms=0)


def frame_id(at: int) -> str:
    return f"{at:032x}"


class Agent:
    """A sender, its clock, and the collectors it talks to; its broker has each message at once."""

    def __init__(
        self,
        settings: SenderSettings = SETTINGS,
        *,
        ledgers: Sequence[str] = ("hq",),
        trusted: Mapping[str, Collection[str]] | None = None,
        jitter: float = 0.0,
    ) -> None:
        self._drawn = 0
        self.now_ms = 0
        self.broker_answers = True
        self.wire_bytes = 0
        self.past = Past((), ())
        self.sender = Sender(
            ledgers,
            trusted=trusted or {},
            past=lambda lane: self.past,
            draw=self._draw,
            jitter=lambda: jitter,
            settings=settings,
        )
        self.numbers: dict[Lane, list[str]] = {}

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
        """What is due, but for heads and first trust."""
        self.now_ms += after_ms
        due = self.sender.due(self.now_ms)
        actions: list[Action] = [one for one in due if not isinstance(one, SendHead | Trust)]
        for lane in Lane:
            parts = [one for one in actions if isinstance(one, SendInventory) and one.lane is lane]
            if parts:
                self.numbers[lane] = [part.number for part in parts]
        for one in due:
            if isinstance(one, SendFrames | SendTable | SendInventory | SendHead) and self.broker_answers:
                size = 0 if isinstance(one, SendHead) else self.wire_bytes
                self.sender.on_passed(one, size, self.now_ms)
        return actions

    def life(self, life: str, *, alive: bool = True, ledger: str = "hq", id: str = "0", at: int = 0) -> None:
        message = Life(ledger=ledger, ledger_id=id * 32, life=life, time_ms=at, alive=alive)
        self.sender.on_life(message, self.now_ms)

    def answer(self, life: str, ledger: str = "hq") -> None:
        """Have a life answer the newest inventories of both lanes."""
        for lane, numbers in self.numbers.items():
            for number in numbers:
                self.sender.on_ack(ledger, Ack(life=life, lane=lane, inventory=number))

    def follow(self, life: str, ledger: str = "hq", id: str = "0") -> list[Action]:
        """Have a life prompt inventories and answer them."""
        self.sender.on_connected(self.now_ms)
        self.life(life, ledger=ledger, id=id)
        actions = self.due()
        self.answer(life, ledger)
        return actions

    def until_inventory(self) -> list[Lane]:
        """Let time pass until an inventory is due, ten minutes at the most; return whose."""
        for _ in range(600):
            self.life("1" * 32)
            told = [one.lane for one in self.due(1_000) if isinstance(one, SendInventory)]
            if told:
                return told
        return []

    def hold(self, life: str, first: int, end: int, ledger: str = "hq", lane: Lane = Lane.REGISTERS) -> None:
        """Have a ledger say that it holds these frames."""
        ids = bytes.fromhex("".join(map(frame_id, range(first, end))))
        block = Block(EPOCH, first, end - first, end - first, block_digest(ids))
        self.sender.on_ack(ledger, Ack(life=life, lane=lane, held=(block,)))


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
    agent.sender.on_ack("hq", Ack(life="1" * 32, lane=Lane.REGISTERS, ids=tuple(map(frame_id, range(10)))))
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


def test_frames_of_several_tables_share_a_message_and_each_table_goes_before_it(agent: Agent) -> None:
    for at, table in enumerate((TABLE, OTHER_TABLE, TABLE, OTHER_TABLE)):
        agent.write(Lane.REGISTERS, at, table=table)
    assert agent.due() == [
        SendTable(Lane.REGISTERS, TABLE),
        SendTable(Lane.REGISTERS, OTHER_TABLE),
        SendFrames(Lane.REGISTERS, EPOCH, ((0, 4),)),
    ]


def test_a_message_waits_to_be_filled_while_another_is_under_way_but_not_for_ever(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0)
    assert messages(agent.due()) == [(Lane.REGISTERS, [0])]
    agent.write(Lane.REGISTERS, 1)
    assert messages(agent.due(100)) == []
    agent.write(Lane.REGISTERS, 2)
    assert agent.sender.wake_ms(agent.now_ms) == 1000
    assert messages(agent.due(SETTINGS.linger_ms - 101)) == []
    agent.sender.on_ack("hq", Ack(life="1" * 32, lane=Lane.REGISTERS, ids=(frame_id(0),)))
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
    spread.due()
    spread.write(Lane.REGISTERS, 0)
    spread.due()
    assert messages(spread.due(1200)) == []
    assert messages(spread.due(100)) == [(Lane.REGISTERS, [0])]


def test_only_what_was_under_way_goes_again_after_a_lost_connection(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0, 2)
    agent.due()
    agent.sender.on_ack("hq", Ack(life="1" * 32, lane=Lane.REGISTERS, ids=(frame_id(0),)))
    agent.sender.on_disconnected()
    assert messages(agent.due()) == []
    agent.sender.on_connected(agent.now_ms)
    agent.life("1" * 32)
    assert messages(agent.due()) == [(Lane.REGISTERS, [1])]


def rated(bytes_per_s: int, **more: int) -> Agent:
    settings = SenderSettings(window=32, spread_ms=0, bytes_per_s=bytes_per_s, **more)
    agent = Agent(settings)
    agent.follow("1" * 32)
    agent.due()
    return agent


def test_the_byte_rate_is_kept_as_it_is_on_the_wire() -> None:
    agent = rated(1000, message_bytes=1000)
    agent.wire_bytes = 400
    agent.write(Lane.REGISTERS, 0, 100)
    agent.write(Lane.SAMPLES, 0, 100)
    sent: list[tuple[Lane, list[int]]] = []
    for _ in range(50):
        sent += messages(agent.due(100))
    assert [lane for lane, _ in sent] == [Lane.REGISTERS] * 10 + [Lane.SAMPLES], "and two tables"


def test_a_message_larger_than_a_second_of_the_byte_rate_goes_and_the_next_waits_for_it() -> None:
    agent = rated(1000)
    agent.wire_bytes = 5000
    agent.write(Lane.REGISTERS, 0)
    agent.due()  # its table
    agent.due(5000)
    agent.write(Lane.REGISTERS, 1)
    assert messages(agent.due(4900)) == []
    assert agent.sender.wake_ms(agent.now_ms) == agent.now_ms + 100
    assert messages(agent.due(100)) == [(Lane.REGISTERS, [1])]


def test_under_a_byte_rate_no_more_than_one_message_of_samples_goes_before_registers() -> None:
    agent = rated(1000, message_bytes=1000)
    agent.wire_bytes = 1000
    agent.write(Lane.REGISTERS, 0)
    agent.write(Lane.SAMPLES, 0, 1000)
    before = -1
    for step in range(40):
        if step == 20:
            agent.write(Lane.REGISTERS, 1)
        for lane, _ in messages(agent.due(1000)):
            if step >= 20:
                before += lane is Lane.SAMPLES
            if step >= 20 and lane is Lane.REGISTERS:
                assert before <= 0
                return
    raise AssertionError("no registers went")


def test_a_slow_link_is_given_one_message_at_a_time_and_has_all_the_time_it_needs(agent: Agent) -> None:
    agent = Agent(SenderSettings(spread_ms=0))
    agent.follow("1" * 32)
    agent.due()
    agent.broker_answers = False
    agent.write(Lane.SAMPLES, 0, 3000)
    agent.write(Lane.REGISTERS, 0, 3000)
    sent = 0
    for _ in range(10):
        actions = [one for one in agent.due() if not isinstance(one, SendTable)]
        sent += len(messages(actions))
        agent.life("1" * 32)
        assert messages(agent.due(20_000)) == [], "what the link has not taken is not sent again"
        for one in actions:
            agent.sender.on_passed(one, 10_000, agent.now_ms)  # type: ignore[arg-type]  # messages only
    assert sent <= 12


def test_the_time_for_an_answer_begins_when_the_broker_has_the_message(agent: Agent) -> None:
    agent.broker_answers = False
    agent.write(Lane.REGISTERS, 0)
    (sent,) = [one for one in agent.due() if isinstance(one, SendFrames)]
    assert messages(agent.due(SETTINGS.longest_ms - 1)) == []
    agent.sender.on_passed(sent, 100, agent.now_ms)
    assert messages(agent.due(SETTINGS.timeout_ms - 1)) == []
    assert messages(agent.due(1)) == [(Lane.REGISTERS, [0])]


def test_a_quick_link_is_given_more_and_more_until_the_window_is_full(agent: Agent) -> None:
    agent = Agent(SenderSettings(spread_ms=0))
    agent.follow("1" * 32)
    agent.due()
    agent.write(Lane.REGISTERS, 0, 50_000)
    assert [len(messages(agent.due(10))) for _ in range(8)] == [1, 2, 4, 8, 16, 1, 0, 0]


def test_a_frame_is_freed_when_its_id_is_acknowledged_and_not_before(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0, 3)
    assert freed(agent.due()) == []
    agent.sender.on_ack("hq", Ack(life="1" * 32, lane=Lane.REGISTERS, ids=(frame_id(1), "9" * 32)))
    assert freed(agent.due()) == [1]
    assert agent.sender.unheld == 2


def test_a_block_frees_only_if_its_digest_is_of_these_very_frames(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0, 2)
    agent.due()
    ids = bytes.fromhex(frame_id(0) + frame_id(1))
    wrong = Block(EPOCH, 0, 2, 2, block_digest(ids[::-1]))
    agent.sender.on_ack("hq", Ack(life="1" * 32, lane=Lane.REGISTERS, held=(wrong,)))
    assert freed(agent.due()) == []
    right = Block(EPOCH, 0, 2, 2, block_digest(ids))
    beyond = Block(EPOCH, 0, 3, 3, block_digest(ids + bytes(16)))
    agent.sender.on_ack("hq", Ack(life="1" * 32, lane=Lane.REGISTERS, held=(beyond, right)))
    assert freed(agent.due()) == [0, 1]


def test_an_ack_of_another_life_is_ignored(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0)
    agent.due()
    agent.sender.on_ack("hq", Ack(life="2" * 32, lane=Lane.REGISTERS, ids=(frame_id(0),)))
    assert freed(agent.due()) == []
    assert agent.sender.ignored_answers == 1


def test_a_new_life_unholds_everything_and_gets_an_inventory(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0, 2)
    agent.due()
    agent.sender.on_ack("hq", Ack(life="1" * 32, lane=Lane.REGISTERS, ids=(frame_id(0),)))
    agent.life("2" * 32)
    actions = agent.due()
    assert freed(actions) == [], "the word of the life before counts no more"
    assert actions[0] == Unhold()
    inventory = next(one for one in actions if isinstance(one, SendInventory) and one.lane is Lane.REGISTERS)
    assert inventory.blocks == (
        Block(EPOCH, 0, 2, 2, block_digest(bytes.fromhex(frame_id(0) + frame_id(1)))),
    )
    agent.sender.on_ack("hq", Ack(life="2" * 32, lane=Lane.REGISTERS, inventory=inventory.number))
    assert messages(agent.due()) == [], "what it listed is neither held nor wanted yet"
    want = Want(life="2" * 32, lane=Lane.REGISTERS, inventory=inventory.number, ranges=(Range(EPOCH, 0, 2),))
    agent.sender.on_want("hq", want)
    assert messages(agent.due()) == [(Lane.REGISTERS, [0, 1])]


def test_an_answer_to_an_inventory_from_before_the_prompt_is_not_followed(agent: Agent) -> None:
    agent.life("2" * 32)
    agent.due()
    number = agent.numbers[Lane.REGISTERS][0]
    agent.life("3" * 32)
    agent.due()
    agent.sender.on_ack("hq", Ack(life="2" * 32, lane=Lane.REGISTERS, inventory=number))
    assert agent.sender.followed_life("hq") is None


def test_a_second_life_is_not_followed_before_it_has_prompted(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0)
    agent.due()
    number = agent.numbers[Lane.REGISTERS][0]
    agent.sender.on_ack(
        "hq",
        Ack(life="2" * 32, lane=Lane.REGISTERS, inventory=number, ids=(frame_id(0),)),
    )
    assert agent.sender.followed_life("hq") == "1" * 32
    assert freed(agent.due()) == []


def test_an_inventory_is_repeated_until_every_block_is_held_or_wanted(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0, 2)
    agent.life("2" * 32)
    agent.due()
    first = agent.numbers[Lane.REGISTERS][0]
    agent.sender.on_ack("hq", Ack(life="2" * 32, lane=Lane.REGISTERS, inventory=first))
    agent.due(1000)
    second = agent.numbers[Lane.REGISTERS][0]
    assert second != first
    want = Want(life="2" * 32, lane=Lane.REGISTERS, inventory=second, ranges=(Range(EPOCH, 0, 2),))
    agent.sender.on_ack("hq", Ack(life="2" * 32, lane=Lane.REGISTERS, inventory=second))
    agent.sender.on_want("hq", want)
    agent.due(60_000)
    assert agent.numbers[Lane.REGISTERS] == [second]


def test_frames_from_before_a_restart_are_offered_first_and_freed_by_one_digest() -> None:
    agent = Agent()
    agent.write(Lane.REGISTERS, 0, 3, epoch="d" * 32)
    agent.follow("1" * 32)
    assert messages(agent.due()) == []
    ids = bytes.fromhex("".join(map(frame_id, range(3))))
    held = Block("d" * 32, 0, 3, 3, block_digest(ids))
    agent.sender.on_ack("hq", Ack(life="1" * 32, lane=Lane.REGISTERS, held=(held,)))
    assert freed(agent.due()) == [0, 1, 2]


def test_an_unknown_table_is_sent_again(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0)
    agent.due()
    agent.sender.on_ack("hq", Ack(life="1" * 32, lane=Lane.REGISTERS, need=(TABLE, TABLE)))
    assert agent.due() == [SendTable(Lane.REGISTERS, TABLE)]


def test_a_refused_frame_rests_until_another_life_and_is_given_up_after_three() -> None:
    agent = Agent()
    agent.write(Lane.REGISTERS, 0)
    for i in range(1, REFUSALS + 1):
        life = f"{i:032x}"
        agent.follow(life)
        number = agent.numbers[Lane.REGISTERS][0]
        want = Want(life=life, lane=Lane.REGISTERS, inventory=number, ranges=(Range(EPOCH, 0, 1),))
        agent.sender.on_want("hq", want)
        assert messages(agent.due()) == [(Lane.REGISTERS, [0])]
        agent.sender.on_ack("hq", Ack(life=life, lane=Lane.REGISTERS, refused=((frame_id(0), "why"),)))
        actions = agent.due(20_000)
        assert messages(actions) == []
        expected = [GiveUp(Lane.REGISTERS, EPOCH, 0, frame_id(0), "why")] if i == REFUSALS else []
        assert [one for one in actions if isinstance(one, GiveUp)] == expected


def spans_of(actions: Sequence[Action], kind: type[Free | Held]) -> list[int]:
    return [at for one in actions if isinstance(one, kind) for at in range(one.first, one.end)]


@pytest.fixture
def two() -> Agent:
    """An agent whose two required ledgers are both followed."""
    agent = Agent(ledgers=("hq", "backup"))
    agent.follow("1" * 32)
    agent.follow("2" * 32, "backup", "9")
    agent.due()
    return agent


def test_a_frame_is_free_when_each_required_ledger_holds_it(two: Agent) -> None:
    two.write(Lane.REGISTERS, 0, 4)
    assert messages(two.due()) == [(Lane.REGISTERS, [0, 1, 2, 3])], "one message for both"
    two.hold("1" * 32, 0, 3)
    actions = two.due()
    assert (spans_of(actions, Free), spans_of(actions, Held)) == ([], [0, 1, 2])
    two.hold("2" * 32, 1, 4, "backup")
    actions = two.due()
    assert (spans_of(actions, Free), spans_of(actions, Held)) == ([1, 2], [3])
    assert two.sender.waiting(Lane.REGISTERS) == (2, 2, (EPOCH, 0))


def test_a_ledger_that_is_down_delays_no_other_and_gets_everything_later(two: Agent) -> None:
    two.life("2" * 32, ledger="backup", alive=False)
    two.write(Lane.REGISTERS, 0, 100)
    for _ in range(5):
        for _, indexes in messages(two.due()):
            two.hold("1" * 32, indexes[0], indexes[-1] + 1)
    assert messages(two.due()) == [], "the one that is there holds all"
    assert two.sender.waiting(Lane.REGISTERS).frames == 100
    two.life("2" * 32, ledger="backup")
    assert messages(two.due()) == [(Lane.REGISTERS, list(range(a, a + 10))) for a in (0, 10)]


def test_a_ledger_that_is_stuck_delays_no_other(two: Agent) -> None:
    two.write(Lane.REGISTERS, 0, 100)
    at = 0
    for _ in range(20):
        for _, indexes in messages(two.due(10)):
            two.hold("1" * 32, indexes[0], indexes[-1] + 1)
            at = max(at, indexes[-1] + 1)
    assert at == 100, "although the other one never answers"
    stuck = two.sender._peers["backup"].outboxes[Lane.REGISTERS]
    assert len(stuck._under_way) <= SETTINGS.window
    assert spans_of(two.due(), Free) == []


def test_another_life_of_one_ledger_takes_back_only_its_own_word(two: Agent) -> None:
    two.write(Lane.REGISTERS, 0, 2)
    two.due()
    two.hold("1" * 32, 0, 2)
    two.hold("2" * 32, 0, 2, "backup")
    two.life("3" * 32)
    actions = two.due()
    assert actions[0] == Unhold()
    assert (spans_of(actions, Free), spans_of(actions, Held)) == ([], [0, 1])
    two.answer("3" * 32)
    two.hold("3" * 32, 0, 1)
    assert spans_of(two.due(), Free) == [0]


def test_one_inventory_serves_all_ledgers_that_wait_for_one() -> None:
    agent = Agent(ledgers=("hq", "backup"))
    agent.write(Lane.REGISTERS, 0)
    agent.sender.on_connected(0)
    agent.life("1" * 32)
    agent.life("2" * 32, ledger="backup")
    inventories = [one for one in agent.due() if isinstance(one, SendInventory)]
    assert [one.lane for one in inventories] == [Lane.REGISTERS, Lane.SAMPLES]
    agent.answer("1" * 32)
    agent.answer("2" * 32, "backup")
    assert agent.sender.followed_life("hq") == "1" * 32
    assert agent.sender.followed_life("backup") == "2" * 32


def test_the_first_ledger_under_a_name_is_trusted_and_the_next_is_not() -> None:
    agent = Agent()
    agent.sender.on_connected(0)
    agent.life("1" * 32, id="a")
    agent.due()
    agent.answer("1" * 32)
    assert Trust("hq", "a" * 32) in agent.sender.decisions()
    agent.write(Lane.REGISTERS, 0)
    agent.follow("2" * 32, id="b")
    assert agent.sender.untrusted == {"hq": "b" * 32}
    want = Want(
        life="2" * 32,
        lane=Lane.REGISTERS,
        inventory=agent.numbers[Lane.REGISTERS][0],
        ranges=(Range(EPOCH, 0, 1),),
    )
    agent.sender.on_want("hq", want)
    assert messages(agent.due()) == [(Lane.REGISTERS, [0])], "it is delivered to"
    agent.hold("2" * 32, 0, 1)
    actions = agent.due(60_000)
    assert messages(actions) == [], "nor is it sent twice"
    assert spans_of(actions, Free) == spans_of(actions, Held) == [], "and its word counts for nothing"
    agent.sender.on_trust("hq", ["a" * 32])
    assert agent.sender.decisions() == ()
    agent.sender.on_trust("hq", ["a" * 32, "b" * 32])
    assert spans_of(agent.sender.decisions(), Free) == [0]
    assert agent.sender.untrusted == {}


def test_an_untrusted_ledger_cannot_make_a_frame_be_given_up_nor_free_it_for_another() -> None:
    agent = Agent(ledgers=("hq", "backup"), trusted={"backup": []})
    agent.write(Lane.REGISTERS, 0)
    for i in range(1, REFUSALS + 2):
        agent.follow(f"{i:032x}")
        agent.follow(f"{i + 8:032x}", "backup", "c")
        for name, life in (("hq", i), ("backup", i + 8)):
            number = agent.numbers[Lane.REGISTERS][0]
            places = (Range(EPOCH, 0, 1),)
            agent.sender.on_want(
                name, Want(life=f"{life:032x}", lane=Lane.REGISTERS, inventory=number, ranges=places)
            )
        agent.due()
        refused = ((frame_id(0), "why"),)
        agent.sender.on_ack("backup", Ack(life=f"{i + 8:032x}", lane=Lane.REGISTERS, refused=refused))
        agent.hold(f"{i:032x}", 0, 1)
        actions = agent.due()
        assert spans_of(actions, Held) == [0]
        assert not [one for one in actions if isinstance(one, GiveUp | Free)]


def test_a_frame_that_one_ledger_refuses_for_good_waits_until_the_other_holds_it() -> None:
    agent = Agent(ledgers=("hq", "backup"))
    agent.write(Lane.REGISTERS, 0)
    agent.follow("9" * 32)
    for i in range(1, REFUSALS + 1):
        life = f"{i:032x}"
        agent.follow(life, "backup", "c")
        number = agent.numbers[Lane.REGISTERS][0]
        places = (Range(EPOCH, 0, 1),)
        for name, each in (("hq", "9" * 32), ("backup", life)):
            agent.sender.on_want(name, Want(life=each, lane=Lane.REGISTERS, inventory=number, ranges=places))
        agent.due(20_000)
        agent.sender.on_ack("backup", Ack(life=life, lane=Lane.REGISTERS, refused=((frame_id(0), "why"),)))
        assert not [one for one in agent.due() if isinstance(one, GiveUp)]
        agent.life("9" * 32)
    agent.hold("9" * 32, 0, 1)
    assert [one.at for one in agent.due() if isinstance(one, GiveUp)] == [0]


def test_two_lives_in_turn_are_two_collectors_and_a_restart_is_not() -> None:
    agent = Agent()
    agent.sender.on_connected(0)
    for minute, life in enumerate("1122211", 1):
        agent.now_ms = minute * 30_000
        agent.life(life * 32, at=minute)
        assert agent.sender.rivals(agent.now_ms) == []
    agent.now_ms += 30_000
    agent.life("2" * 32, at=20)
    assert agent.sender.rivals(agent.now_ms) == ["hq"]
    assert agent.sender.rivals(agent.now_ms + 300_000) == [], "one of them has been stopped"


def test_late_words_of_lives_that_are_over_are_no_second_collector() -> None:
    agent = Agent()
    agent.sender.on_connected(0)
    for at, life in enumerate("123", 1):
        agent.life(life * 32, at=at)
    for at, life in (1, "1"), (3, "3"), (2, "2"), (3, "3"), (1, "1"):
        agent.life(life * 32, at=at)
    assert agent.sender.rivals(0) == []


def test_an_answer_of_a_life_that_nobody_announced_is_told_apart(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 0)
    agent.due()
    agent.life("2" * 32)
    agent.due()
    agent.sender.on_ack("hq", Ack(life="1" * 32, lane=Lane.REGISTERS, ids=(frame_id(0),)))
    assert (agent.sender.ignored_answers, agent.sender.strange_answers) == (1, 0)
    number = agent.numbers[Lane.REGISTERS][0]
    forged = Ack(life="f" * 32, lane=Lane.REGISTERS, ids=(frame_id(0),), inventory=number)
    agent.sender.on_ack("hq", forged)
    assert (agent.sender.ignored_answers, agent.sender.strange_answers) == (2, 1)
    assert agent.sender.followed_life("hq") is None


def test_blocks_are_aligned_so_that_they_compare_when_ids_are_gone(agent: Agent) -> None:
    agent.write(Lane.REGISTERS, 1000, 1100)
    agent.follow("2" * 32)
    inventory = next(one for one in agent.follow("3" * 32) if isinstance(one, SendInventory))
    assert [(block.first, block.frames) for block in inventory.blocks] == [
        (1000, 24),
        (1024, 1024),
        (2048, 52),
    ]


def test_a_long_inventory_goes_in_parts_and_is_settled_when_each_is_acked() -> None:
    agent = Agent()
    agent.past = Past(
        (), tuple(Gone(EPOCH, at, 1, 1, "freed", None, None, None) for at in range(PART_ENTRIES * 2))
    )
    agent.write(Lane.REGISTERS, PART_ENTRIES * 2)
    parts = [one for one in agent.follow("1" * 32) if isinstance(one, SendInventory)]
    while more := [one for one in agent.due() if isinstance(one, SendInventory)]:
        parts += more
    parts = [one for one in parts if one.lane is Lane.REGISTERS]
    assert [(part.part, part.parts, part.sequence) for part in parts] == [(0, 3, 1), (1, 3, 1), (2, 3, 1)]
    assert len({part.number for part in parts}) == 3
    assert [gone for part in parts for gone in part.gone] == list(agent.past.gone)
    assert sum(len(part.blocks) for part in parts) == 1
    want = Want(
        life="1" * 32,
        lane=Lane.REGISTERS,
        inventory=parts[0].number,
        ranges=(Range(EPOCH, PART_ENTRIES * 2, 1),),
    )
    agent.sender.on_want("hq", want)
    for part in parts[:2]:
        agent.sender.on_ack("hq", Ack(life="1" * 32, lane=Lane.REGISTERS, inventory=part.number))
    assert [one for one in agent.due(2000) if isinstance(one, SendInventory)], "the third is not answered"
    for part in parts[2:]:
        agent.sender.on_ack("hq", Ack(life="1" * 32, lane=Lane.REGISTERS, inventory=part.number))
    repeated = []
    for _ in range(10):
        agent.life("1" * 32)
        repeated += [one for one in agent.due(3000) if isinstance(one, SendInventory)]
        if len(repeated) % 3 == 0:
            agent.answer("1" * 32)
    assert len(repeated) == 3


def test_what_an_epoch_follows_is_told_soon_after_its_first_frame(agent: Agent) -> None:
    """An agent is there before it has read anything: its first inventory does not know its own epoch."""
    agent.write(Lane.SAMPLES, 0)
    assert agent.until_inventory() == [Lane.SAMPLES]
    assert agent.now_ms <= SETTINGS.renew_ms
    agent.answer("1" * 32)
    for first in range(1, 200):
        agent.hold("1" * 32, 0, first, lane=Lane.SAMPLES)
        agent.sender.on_gone(Lane.SAMPLES, EPOCH, 0, first)
        agent.write(Lane.SAMPLES, first)
        agent.life("1" * 32)
        assert not [one for one in agent.due(10_000) if isinstance(one, SendInventory)]


def test_a_loss_is_told_soon_and_again_until_it_is_acked(agent: Agent) -> None:
    agent.write(Lane.SAMPLES, 0, 3)
    agent.until_inventory()
    agent.answer("1" * 32)
    agent.hold("1" * 32, 0, 1, lane=Lane.SAMPLES)
    agent.sender.on_gone(Lane.SAMPLES, EPOCH, 0, 1)
    told = []
    for _ in range(200):
        agent.life("1" * 32)
        told += [one for one in agent.due(5_000) if isinstance(one, SendInventory)]
    assert told == [], "what was freed is no news"
    agent.sender.on_gone(Lane.SAMPLES, EPOCH, 1, 2)
    begin_ms = agent.now_ms
    while not told:
        agent.life("1" * 32)
        told += [one for one in agent.due(1_000) if isinstance(one, SendInventory)]
    assert [one.lane for one in told] == [Lane.SAMPLES]
    assert agent.now_ms - begin_ms <= 5_000
    agent.life("1" * 32)
    assert [one for one in agent.due(10_000) if isinstance(one, SendInventory)], "nobody has acked it"
    agent.answer("1" * 32)
    agent.life("1" * 32)
    assert not [one for one in agent.due(10_000) if isinstance(one, SendInventory)]


def test_an_inventory_that_a_lost_connection_swallowed_goes_again_at_once(agent: Agent) -> None:
    agent.broker_answers = False
    agent.life("2" * 32)
    agent.due()
    agent.sender.on_disconnected()
    agent.sender.on_connected(agent.now_ms)
    agent.life("2" * 32)
    assert [one.lane for one in agent.due() if isinstance(one, SendInventory)] == [*Lane]


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
