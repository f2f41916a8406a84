"""Whatever byte of whatever file of a spool is another: only that record is lost, by name, and no other."""

from __future__ import annotations

import os
import random
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.health.spool_look import look
from agent.spool import SpoolLimits
from agent.spool.columns import columns_at_end
from agent.spool.records import HEADER_BYTES, scan
from core.delivery.frames import Lane
from core.delivery.payload import decode_payload
from tests.unit.agent.spool_disk import AGENT, LANE, TABLE, Disk, flip

OLD = Path(__file__).parents[2] / "data/spool-0.1"
SEGMENT = 400
SLOW = (pytest.mark.slow, pytest.mark.timeout(1_200))
KEEP = SpoolLimits(keep_registers_days=62)


async def whole_spool(path: Path) -> Disk:
    """A spool with all that there can be: two runs, full and unfinished files, freed, gone, being written."""
    disk = Disk(path, segment_bytes=SEGMENT, limits=KEEP)
    await disk.write(7, n=3)
    await disk.write(7, lane=Lane.SAMPLES)
    disk.spool.store.free(LANE, disk.spool.epoch, 0, 3)
    disk.spool.store.free(Lane.SAMPLES, disk.spool.epoch, 0, 3)
    await disk.stop_and_start()
    await disk.write(4)
    await disk.write(2, lane=Lane.SAMPLES)
    return disk


def copied(origin: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(origin, to)
    return to


def opened(path: Path) -> Disk:
    return Disk(path, segment_bytes=SEGMENT, limits=KEEP)


def files_of(path: Path) -> list[Path]:
    return sorted(
        file.relative_to(path) for file in path.rglob("*") if file.is_file() and file.stat().st_size
    )


def damage_is_named(origin: dict[str, int], taken: int, copy: Disk, where: object) -> int:
    """Check that all is there or named damaged; return how many frames are lost."""
    frames = copy.frames()
    assert all(origin.get(frame.id) == frame.n for frame in frames), where
    lost = [g for lane in Lane for g in copy.spool.store.gone(lane) if g.reason == "damaged"]
    assert len(frames) + sum(gone.frames for gone in lost) == len(origin), where
    assert copy.accounted() == copy.taken() == taken, where
    return sum(gone.frames for gone in lost)


@pytest.fixture
def without_syncs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is killed here, so the system's word is good enough, and a tenth of the time."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda _: None)


@pytest.mark.parametrize("cases", [130, pytest.param(4_000, marks=SLOW)])
async def test_any_byte_of_any_file_flipped(cases: int, tmp_path: Path, without_syncs: None) -> None:
    disk = await whole_spool(tmp_path / "origin")
    origin, taken = {frame.id: frame.n for frame in disk.frames()}, disk.taken()
    files = files_of(disk.path)
    assert {path.suffix for path in files} == {".frames", ".log", ".again", ".json", ""}
    assert any("-freed-" in path.name for path in files)
    assert any(columns_at_end(disk.path / path) for path in files if path.suffix == ".frames")
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    lost = 0
    for case in range(cases):
        path = files[case % len(files)]
        copy = copied(disk.path, tmp_path / "copy")
        at, bit = chance.randrange((copy / path).stat().st_size), chance.randrange(8)
        flip(copy / path, at, bit)
        again = opened(copy)
        here = damage_is_named(origin, taken, again, (seed, path, at, bit))
        assert here <= 1 if path.suffix == ".frames" else here == 0, (seed, path, at, bit)
        assert all(again.spool.store.table(one.table) == TABLE for one in again.told), (seed, path, at, bit)
        lost += here
        again.kill()
    assert lost > cases / 5, "most bytes are those of records"


@pytest.mark.parametrize("cases", [60, pytest.param(1_500, marks=SLOW)])
async def test_any_file_cut_anywhere_or_gone(cases: int, tmp_path: Path, without_syncs: None) -> None:
    disk = await whole_spool(tmp_path / "origin")
    await disk.spool.close()
    disk = opened(disk.path)
    origin, taken = {frame.id: frame.n for frame in disk.frames()}, disk.taken()
    files = [path for path in files_of(disk.path) if path.parent == Path() or path.suffix == ".json"]
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    for case in range(cases):
        path = files[case % len(files)]
        copy = copied(disk.path, tmp_path / "copy")
        size = chance.randrange((copy / path).stat().st_size)
        if size == 0:
            (copy / path).unlink()
        else:
            os.truncate(copy / path, size)
        again = opened(copy)
        damage_is_named(origin, taken, again, (seed, path, size))
        again.kill()


async def test_damage_of_a_kind_is_told_from_a_torn_append_by_the_mark_behind_it(disk: Disk) -> None:
    """The last record of a killed run: damaged when it was durable, and nothing at all when it was not."""
    await disk.write(3)
    (path,) = disk.files()
    whole = path.read_bytes()
    last = [*scan(whole)][2].offset
    flip(path, last + 6)
    disk.kill_and_start()
    assert [(g.first, g.frames, g.readings) for g in disk.lost()] == [(2, 1, 2)]


async def test_an_append_cut_anywhere_is_no_frame_and_no_loss(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "origin")
    await disk.write(3)
    (path,) = disk.files()
    whole = path.read_bytes()
    last = [*scan(whole)][2].offset
    for size in range(last, len(whole), 9):
        copy = copied(disk.path, tmp_path / "copy")
        os.truncate(copy / path.name, size)
        again = Disk(copy)
        assert again.lost() == [], size
        assert len(again.told) == len(again.frames()) and len(again.told) in (2, 3)
        again.kill()
    disk.kill()


async def test_both_files_of_the_epoch_table_are_kept_aside_when_damaged_and_made_anew(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    await disk.write(2)
    entries = disk.spool.store.epochs(LANE)
    flip(disk.path / "epochs.log", 20)
    disk.kill_and_start()
    assert disk.spool.store.epochs(LANE) == entries, "the other file has it"
    assert len(list(disk.path.glob("epochs.log.damaged-*"))) == 1
    flip(disk.path / "epochs.again", 20)
    disk.kill_and_start()
    assert disk.spool.store.epochs(LANE) == entries
    assert len(list(disk.path.glob("epochs.again.damaged-*"))) == 1
    told = [one for one in caplog.records if one.msg == "one of the two copies of the epoch table is damaged"]
    assert [Path(vars(one)["where"]).name for one in told] == ["epochs.log", "epochs.again"]


async def test_damage_in_a_full_file_is_found_when_it_is_read_with_the_id_that_it_had(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "spool", segment_bytes=SEGMENT)
    written = await disk.write(4)
    disk.kill_and_start()
    path = disk.files()[0]
    found = [*scan(path.read_bytes())]
    flip(path, found[1].offset + HEADER_BYTES + 2)
    disk.kill_and_start()
    assert len(disk.told) == 4, "a full file is opened by its end alone"
    assert [frame.index for frame in disk.frames()] == [0, 2, 3]
    (gone,) = disk.lost()
    assert (gone.first, gone.readings, gone.from_ms, gone.to_ms) == (1, 2, 1001, 1001)
    assert gone.digest is not None and written[1].id
    disk.spool.store.free(LANE, written[0].epoch, 0, 4)
    assert path.name in {kept.name for kept in (disk.path / "set-aside").iterdir()}
    disk.kill()


async def test_a_spool_of_the_first_release_is_read_and_written_on(tmp_path: Path) -> None:
    path = copied(OLD, tmp_path / "spool")
    disk = Disk(path, segment_bytes=SEGMENT, limits=KEEP)
    first, second = "a" * 32, "b" * 32
    assert sorted((one.lane, one.epoch[0], one.at) for one in disk.told) == sorted(
        [(lane, "b", at) for lane in Lane for at in range(6)]
        + [(Lane.SAMPLES, "a", at) for at in range(6)]
        + [(LANE, "a", at) for at in (4, 5)]
    )
    for frame in disk.frames():
        table = disk.spool.store.table(frame.table)
        assert table is not None and decode_payload(frame, table)[0]
    assert [(g.epoch, g.first, g.frames, g.reason) for g in disk.spool.store.gone(LANE)] == [
        (first, 0, 4, "freed")
    ]
    assert [(e.epoch, e.frames, e.clean) for e in disk.spool.store.epochs(LANE)] == [
        (first, 6, False),
        (second, 6, True),
    ], "clean is how the one before ended"
    assert disk.accounted() == disk.taken() == 7 + 6 + 7 + 6
    await disk.write(3)
    disk.kill_and_start()
    assert disk.accounted() == disk.taken() == 26 + 6
    assert [(e.prev, e.prev_frames) for e in disk.spool.store.epochs(LANE)][-1] == (second, 6)
    disk.kill()


async def test_nobody_else_may_look_into_a_spool(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        copied(OLD, tmp_path / "spool")
        for path in (tmp_path / "spool").rglob("*"):
            path.chmod(0o777 if path.is_dir() else 0o666)
        disk = await whole_spool(tmp_path / "spool")
        disk.kill()
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "spool", *disk.path.rglob("*"))}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}, modes


async def test_another_configuration_leaves_the_spool_as_it_is(tmp_path: Path) -> None:
    disk = await whole_spool(tmp_path / "spool")
    before = {path.name: path.read_bytes() for path in disk.files()}
    disk.limits = SpoolLimits(max_bytes=64, keep_registers_days=0, reserve_days=3_660)
    disk.kill_and_start()
    assert {path.name: path.read_bytes() for path in disk.files()} == before
    disk.kill()


async def test_a_copy_a_wiped_and_an_older_disk_are_told_by_their_epochs(tmp_path: Path) -> None:
    """What a ledger raises its alarms from: two runs after one, one after nothing, one after less."""
    disk = Disk(tmp_path / "spool")
    await disk.write(2)
    old = disk.spool.epoch
    clone, older = copied(disk.path, tmp_path / "clone"), copied(disk.path, tmp_path / "older")
    await disk.write(1)
    for path, frames in ((disk.path, 3), (clone, 2), (older, 2)):
        disk.kill()
        disk = Disk(path)
        await disk.write(1)
        last = disk.spool.store.epochs(LANE)[-1]
        assert (last.prev, last.prev_frames, last.epoch == disk.spool.epoch) == (old, frames, True)
    disk.kill()
    shutil.rmtree(disk.path)
    disk = Disk(disk.path)
    await disk.write(1)
    (only,) = disk.spool.store.epochs(LANE)
    assert only.prev is None and only.epoch != old
    disk.kill()


async def test_looking_finds_what_opening_finds(tmp_path: Path) -> None:
    disk = await whole_spool(tmp_path / "spool")
    seen = look(disk.path, AGENT)
    assert (seen.frames, seen.damaged_files) == (len(disk.frames()), 0)
    assert seen.bytes == disk.spool.store.bytes_on_disk
    disk.kill()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "spool")
    yield disk
    disk.kill()
