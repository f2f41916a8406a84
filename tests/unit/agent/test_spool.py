"""The spool: durable before it is told, damage confined and named, nothing gone without its reason."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from agent.spool import Spool, SpoolFull, epochs, segments
from agent.spool.records import HEADER_BYTES, MARK_BYTES, scan
from core.delivery.frames import Lane
from core.delivery.payload import TakenReading, TimeUnknown, decode_payload
from core.delivery.tables import PointRow, PointTable
from core.errors import OutsideError, WireError
from core.runtime.steady import Boot
from tests.unit.agent.scans import scans
from tests.unit.agent.spool_disk import AGENT, LANE, POINT, ROW, TABLE, Disk, flip


@pytest.fixture
def disk(tmp_path: Path) -> Iterable[Disk]:
    disk = Disk(tmp_path / "spool")
    yield disk
    disk.kill()


async def test_what_was_added_is_on_disk_after_a_flush_and_after_a_kill(disk: Disk) -> None:
    await disk.write(3)
    await disk.write(2, lane=Lane.SAMPLES)
    before = disk.frames()
    assert [frame.index for frame in before] == [0, 1, 2, 0, 1]
    assert decode_payload(before[0], TABLE)[0] == (TakenReading(POINT, 1000, 7), TakenReading(POINT, 1000, 8))
    disk.kill_and_start()
    assert sorted(frame.id for frame in disk.frames()) == sorted(frame.id for frame in before)
    assert disk.spool.store.table(TABLE.digest) == TABLE


async def test_a_flush_of_much_cuts_frames_of_at_most_a_thousand_readings(disk: Disk) -> None:
    other = PointTable(
        (ROW, PointRow("M-2.power", "active_power", "W", "1", "1", None, "primary", "", "", ""))
    )
    disk.spool.add(LANE, TABLE, scans(TakenReading(POINT, i, i) for i in range(2500)), [{"event": "a"}])
    disk.spool.add(LANE, other, scans([TakenReading("M-2.power", 1, 1)]))
    disk.spool.add(LANE, other, [], [{"event": "b"}])
    await disk.spool.flush()
    assert [(one.at, one.n, one.table) for one in disk.told] == [
        (0, 1000, TABLE.digest),
        (1, 1000, TABLE.digest),
        (2, 501, TABLE.digest),
        (3, 2, other.digest),
    ]


async def test_a_bad_reading_spoils_nothing_else(disk: Disk) -> None:
    disk.spool.add(LANE, TABLE, scans([TakenReading(POINT, 1, 1)]))
    with pytest.raises(WireError):
        disk.spool.add(LANE, TABLE, scans([TakenReading(POINT, 2, 2), TakenReading("M-9.x", 2, 2)]))
    for event in ({"event": "x", "why": float("nan")}, {"kind": "x"}, {"event": "x", "why": "y" * 5000}):
        with pytest.raises(WireError):
            disk.spool.add(LANE, TABLE, scans([TakenReading(POINT, 2, 2)]), [event])
    await disk.spool.flush()
    assert [one.n for one in disk.told] == [1]


async def test_frames_are_told_after_their_sync_and_lanes_without_any_are_not_synced(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await disk.write(1, lane=Lane.SAMPLES)
    await disk.write(1)
    told_at_sync: list[int] = []
    monkeypatch.setattr(segments, "sync_data", lambda descriptor: told_at_sync.append(len(disk.told)))
    await disk.write(1)
    await disk.spool.flush()
    assert told_at_sync == [2], "once, for one lane, and before the third frame was told"


async def test_a_flush_that_is_cancelled_while_it_syncs_has_used_its_numbers(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncing, go_on = threading.Event(), threading.Event()

    def slow(descriptor: int) -> None:
        syncing.set()
        go_on.wait(10)

    disk.spool._in_thread = True
    await disk.write(1)
    monkeypatch.setattr(segments, "sync_data", slow)
    disk.spool.add(LANE, TABLE, scans([TakenReading(POINT, 5, 5)]))
    flush = asyncio.create_task(disk.spool.flush())
    await asyncio.to_thread(syncing.wait, 10)
    flush.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await flush
    monkeypatch.undo()
    await disk.write(1)
    assert [one.at for one in disk.told] == [0, 1, 2]
    assert [frame.index for frame in disk.frames()] == [0, 1, 2]


async def test_an_epoch_table_that_grew_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epochs, "_SLACK_BYTES", 100)
    table = epochs.EpochTable(tmp_path)
    entries = [epochs.Entry("e" * 32, LANE, frames=i) for i in range(1, 200)]
    for entry in entries:
        table.put(entry)
    table.close()
    assert (tmp_path / "epochs.log").stat().st_size < 2000
    again = epochs.EpochTable(tmp_path)
    assert list(again) == entries[-1:]
    again.close()


async def test_what_is_written_while_nobody_listens_is_told_to_the_next_listener(disk: Disk) -> None:
    disk.spool.listen(None, None)
    disk.spool.add(LANE, TABLE, scans([TakenReading(POINT, 1, 1)]))
    await disk.spool.flush()
    assert disk.told == []
    disk.spool.listen(disk.told.extend, None)
    assert [one.at for one in disk.told] == [0]


async def test_a_failed_sync_is_fatal_told_to_nobody_and_never_tried_again(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    await disk.write(1)
    monkeypatch.setattr(segments, "sync_data", fail)
    disk.spool.add(LANE, TABLE, scans([TakenReading(POINT, 1, 1)]))
    with pytest.raises(OutsideError, match="Input/output"):
        await disk.spool.flush()
    monkeypatch.undo()
    disk.spool.add(LANE, TABLE, scans([TakenReading(POINT, 2, 2)]))
    with pytest.raises(OutsideError, match="Input/output"):
        await disk.spool.flush()
    assert (len(disk.told), disk.spool.store.heads()[LANE].frames) == (1, 1)


async def test_a_partial_append_is_no_frame_and_its_number_is_not_used_again(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(descriptor: int, data: bytes) -> int:
        if len(data) > 60:
            return write(descriptor, data[:60])
        raise OSError(errno.ENOSPC, "No space left on device")

    await disk.write(2)
    first, write = disk.spool.epoch, os.write
    monkeypatch.setattr(os, "write", half)
    disk.spool.add(LANE, TABLE, scans([TakenReading(POINT, 9, 9)]))
    with pytest.raises(SpoolFull, match="the disk is full"):
        await disk.spool.flush()
    monkeypatch.undo()
    disk.kill_and_start()
    assert (len(disk.told), disk.lost()) == (2, [])
    (written,) = await disk.write(1)
    assert (written.epoch != first, written.at) == (True, 0)


async def test_each_run_is_an_epoch_that_says_what_it_follows(disk: Disk) -> None:
    first = disk.spool.epoch
    await disk.write(2, n=3)
    disk.kill_and_start()
    second = disk.spool.epoch
    assert [entry.epoch for entry in disk.spool.store.epochs(LANE)] == [first], "born with its first frame"
    await disk.write(1)
    await disk.stop_and_start()
    await disk.write(1)
    entries = disk.spool.store.epochs(LANE)
    assert [(e.frames, e.readings, e.prev, e.prev_frames, e.prev_readings, e.clean) for e in entries] == [
        (2, 6, None, 0, 0, False),
        (1, 2, first, 2, 6, False),
        (1, 2, second, 1, 2, True),
    ]
    assert disk.spool.store.heads()[LANE]._asdict() == {
        "epoch": disk.spool.epoch,
        "frames": 1,
        "readings": 2,
        "readings_of_all_epochs": 10,
    }
    assert Lane.SAMPLES not in disk.spool.store.heads()


async def test_a_full_segment_is_unlinked_when_all_of_it_is_freed_and_not_before(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "spool", segment_bytes=200)
    await disk.write(5)
    epoch, files = disk.spool.epoch, disk.files()
    assert len(files) == 3
    disk.spool.store.free(LANE, epoch, 1, 5)
    assert disk.files() == [files[0], files[2]], "the first is not wholly freed, the last is still written"
    disk.spool.store.free(LANE, epoch, 0, 1)
    assert disk.files() == files[2:]
    assert disk.gone == [(epoch, 2, 4), (epoch, 0, 2)]
    assert [(g.first, g.frames, g.readings, g.reason) for g in disk.spool.store.gone(LANE)] == [
        (0, 4, 8, "freed")
    ]
    await disk.stop_and_start()
    assert disk.files() == []
    assert [(g.first, g.frames, g.readings) for g in disk.spool.store.gone(LANE)] == [(0, 5, 10)]


async def test_what_is_unheld_before_its_segment_is_freed_stays(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "spool", segment_bytes=200)
    await disk.write(3)
    disk.spool.store.free(LANE, disk.spool.epoch, 0, 1)
    disk.spool.store.unhold()
    disk.spool.store.free(LANE, disk.spool.epoch, 1, 2)
    assert len(disk.files()) == 2


async def test_a_segment_freed_while_it_was_written_goes_when_it_is_full(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "spool", segment_bytes=200)
    await disk.write(2)
    disk.spool.store.free(LANE, disk.spool.epoch, 0, 2)
    assert len(disk.files()) == 1
    await disk.write(1)
    assert [path.name[-19:] for path in disk.files()] == ["000000000002.frames"]


async def test_the_reason_is_durable_before_the_file_is_unlinked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path / "spool", segment_bytes=200)
    await disk.write(3)
    image = tmp_path / "image"

    def unlink(path: Path) -> None:
        shutil.copytree(disk.path, image)

    monkeypatch.setattr(Path, "unlink", unlink)
    disk.spool.store.free(LANE, disk.spool.epoch, 0, 2)
    monkeypatch.undo()
    killed_in_between = Disk(image)
    assert [(g.first, g.frames, g.reason) for g in killed_in_between.spool.store.gone(LANE)] == [
        (0, 2, "freed")
    ]
    assert [one.at for one in killed_in_between.told] == [2]
    assert len(killed_in_between.files()) == 1, "and the unlinking is made good"


async def test_a_damaged_record_in_the_middle_is_named_with_its_readings_and_times(disk: Disk) -> None:
    written = await disk.write(4, n=3)
    (path,) = disk.files()
    found = list(scan(path.read_bytes()))
    flip(path, found[1].offset + HEADER_BYTES + 2)
    flip(path, found[2].offset + 9)
    disk.kill_and_start()
    assert [one.at for one in disk.told] == [0, 3]
    assert [(g.first, g.frames, g.readings, g.reason) for g in disk.lost()] == [
        (1, 1, 3, "damaged"),
        (2, 1, 3, "damaged"),
    ]
    assert (disk.lost()[0].digest is None, disk.lost()[1].digest) == (False, None), "ids as far as known"
    assert (disk.lost()[1].from_ms, disk.lost()[1].to_ms) == (1001, 1003), "between its neighbours"
    again = disk.lost()
    disk.kill_and_start()
    assert disk.lost() == again, "named once"
    disk.spool.store.free(LANE, written[0].epoch, 0, 4)
    assert disk.files() == []
    assert [kept.name for kept in (disk.path / "set-aside").iterdir()] == [path.name]


@pytest.mark.parametrize("clean", [True, False])
async def test_whatever_byte_is_flipped_the_rest_is_there_and_the_damage_is_counted(
    tmp_path: Path, clean: bool
) -> None:
    origin = Disk(tmp_path / "origin")
    await origin.write(3)
    if clean:
        await origin.spool.close()
    (path,) = origin.files()
    record = path.stat().st_size // 3 - MARK_BYTES
    for at in range(0, path.stat().st_size, 11):
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        shutil.copytree(origin.path, tmp_path / "copy")
        flip(tmp_path / "copy" / path.name, at)
        copy = Disk(tmp_path / "copy")
        lost = copy.lost()
        in_mark = not any(one.offset <= at < one.offset + record for one in scan(path.read_bytes()))
        assert len(copy.told) + sum(g.frames for g in lost) == 3, at
        assert sum(one.n for one in copy.told) + sum(g.readings for g in lost) == 6, at
        assert len(copy.told) == (3 if in_mark else 2)
        assert len(copy.frames()) == len(copy.told)
        copy.kill()


async def test_wherever_a_file_ends_what_is_before_is_there_and_the_rest_is_counted(tmp_path: Path) -> None:
    origin = Disk(tmp_path / "origin")
    await origin.write(3)
    await origin.spool.close()
    (path,) = origin.files()
    for size in range(0, path.stat().st_size, 13):
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        shutil.copytree(origin.path, tmp_path / "copy")
        os.truncate(tmp_path / "copy" / path.name, size)
        copy = Disk(tmp_path / "copy")
        assert sum(one.n for one in copy.told) + sum(g.readings for g in copy.lost()) == 6
        copy.kill()


async def test_a_file_that_is_gone_is_damage(disk: Disk) -> None:
    await disk.write(2)
    await disk.spool.close()
    disk.files()[0].unlink()
    disk.spool = disk._open()
    assert [(g.first, g.frames, g.readings) for g in disk.lost()] == [(0, 2, 4)]


async def test_damage_found_when_a_frame_is_read_is_named_then(disk: Disk) -> None:
    written = await disk.write(3)
    (path,) = disk.files()
    flip(path, list(scan(path.read_bytes()))[1].offset + HEADER_BYTES + 2)
    frames = disk.spool.store.read(LANE, written[0].epoch, ((0, 3),))
    assert [frame.index for frame in frames] == [0, 2]
    assert [(g.first, g.readings, g.reason) for g in disk.lost()] == [(1, 2, "damaged")]
    assert disk.gone == [(written[0].epoch, 1, 2)]


async def test_a_frame_that_is_given_up_is_named_and_its_file_kept(disk: Disk) -> None:
    written = await disk.write(2)
    disk.spool.store.give_up(LANE, written[0].epoch, 0, written[0].id)
    assert [(g.first, g.readings, g.reason, g.digest is not None) for g in disk.lost()] == [
        (0, 2, "refused", True)
    ]
    disk.spool.store.free(LANE, written[0].epoch, 1, 2)
    await disk.stop_and_start()
    assert len(list((disk.path / "set-aside").iterdir())) == 1
    assert (disk.told, disk.files()) == ([], [])


async def test_a_damaged_epoch_table_costs_no_frame_and_is_kept_aside(disk: Disk) -> None:
    written = await disk.write(2)
    log = disk.path / "epochs.log"
    flip(log, 20)
    disk.kill_and_start()
    assert [one.id for one in disk.told] == [one.id for one in written]
    assert len(list(disk.path.glob("epochs.log.damaged-*"))) == 1
    await disk.write(1)
    assert [entry.frames for entry in disk.spool.store.epochs(LANE)] == [2, 1]


async def test_a_torn_last_line_of_the_epoch_table_leaves_the_line_before(disk: Disk) -> None:
    await disk.write(2)
    await disk.spool.close()
    log = disk.path / "epochs.log"
    os.truncate(log, log.stat().st_size - 5)
    table = epochs.EpochTable(disk.path)
    assert {entry.lane for entry in table} == set(Lane)
    table.close()


async def test_what_is_taken_before_the_time_is_known_says_how_long_the_machine_runs(disk: Disk) -> None:
    boot = Boot("6453a651587745ae", 1_000_000)
    event = {"event": "silent", "time_ms": 1_000_900, "device": "M"}
    disk.spool.add(LANE, TABLE, scans([TakenReading(POINT, 1_000_500, 7)]), [event], unknown=boot)
    await disk.spool.flush()
    (frame,) = disk.frames()
    with pytest.raises(TimeUnknown):
        decode_payload(frame, TABLE)
    assert decode_payload(frame, TABLE, {boot.name: 1_800_000_000_000}) == (
        (TakenReading(POINT, 1_800_000_000_500, 7),),
        ({"event": "silent", "device": "M", "boot": boot.name, "mono_ms": 900},),
    )
    (written,) = disk.told
    assert disk.spool.store.time_of(written.lane, written.epoch, written.at) is None


async def test_only_one_process_uses_a_spool(disk: Disk) -> None:
    with pytest.raises(OutsideError, match="another process"):
        Spool(disk.path, AGENT)


async def test_a_damaged_point_table_is_read_from_its_second_copy_and_written_again(disk: Disk) -> None:
    await disk.write(1)
    path, again = (disk.path / "tables" / f"{TABLE.digest}{suffix}" for suffix in (".json", ".again"))
    path.write_text(path.read_text().replace("Wh", "kWh"))
    assert disk.spool.store.table(TABLE.digest) == TABLE
    disk.kill_and_start()
    assert path.read_bytes() == again.read_bytes()
    assert [kept.name for kept in (disk.path / "set-aside").iterdir()] == [path.name]


async def test_a_point_table_damaged_in_both_files_is_none_until_it_is_used_again(disk: Disk) -> None:
    await disk.write(1)
    for path in (disk.path / "tables").iterdir():
        path.write_text(path.read_text().replace("Wh", "kWh"))
    assert disk.spool.store.table(TABLE.digest) is None
    disk.kill_and_start()
    assert disk.spool.store.table(TABLE.digest) is None
    await disk.write(1)
    assert disk.spool.store.table(TABLE.digest) == TABLE
