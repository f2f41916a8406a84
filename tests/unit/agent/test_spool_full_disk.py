"""A disk that is really full, really read-only: a small file system of its own where root may mount one."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.spool import SpoolFull, room
from agent.spool.files import Lock
from agent.spool.limits import DiskSpace
from core.delivery.frames import Lane
from core.delivery.payload import TakenReading
from core.errors import OutsideError
from tests.unit.agent.scans import scans
from tests.unit.agent.spool_disk import POINT, TABLE, Disk

DISK_BYTES = 8 << 20
SEGMENT = 64 << 10


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)


def fill(disk: Path, leave: int = 0) -> Path:
    """Let others take all that is free but so much."""
    path = disk / "others.log"
    with path.open("ab", buffering=0) as file:
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - leave
        with contextlib.suppress(OSError):
            file.write(bytes(free))
            if not leave:
                while True:
                    file.write(bytes(512))
    return path


async def write(disk: Disk, frames: int, lane: Lane) -> None:
    """Write frames of some 14 kB."""
    for _ in range(frames):
        now = 1_700_000_000_000 + 1_000 * len(disk.told)
        disk.spool.add(lane, TABLE, scans(TakenReading(POINT, now + i, 10**9 + i) for i in range(400)))
        await disk.spool.flush()


def start(path: Path) -> Disk:
    return Disk(path, segment_bytes=SEGMENT)


@pytest.mark.parametrize("refused", [False, True], ids=["foreseen", "refused"])
async def test_on_a_full_disk_samples_make_way_and_everything_is_named(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    disk = start(small_disk / "spool")
    await write(disk, 60, Lane.SAMPLES)
    others = fill(small_disk)
    if refused:  # the disk is robbed between the look and the write
        monkeypatch.setattr(room, "disk_space", lambda _: DiskSpace(DISK_BYTES, DISK_BYTES))
    await write(disk, 8, Lane.REGISTERS)
    fill(small_disk)
    await write(disk, 8, Lane.REGISTERS)
    await write(disk, 2, Lane.SAMPLES)
    lost = disk.spool.store.lost_readings(Lane.SAMPLES)
    assert 400 * 4 <= lost["disk_full"] <= 400 * 40
    assert disk.spool.store.lost_readings(Lane.REGISTERS) == {}
    assert disk.accounted() == disk.taken() == 400 * 78
    fill(small_disk)
    disk.kill_and_start()
    assert disk.accounted() == disk.taken() == 400 * 78, "opened on a disk without a free byte"
    others.unlink()
    await write(disk, 1, Lane.SAMPLES)
    assert disk.accounted() == disk.taken() == 400 * 79
    disk.kill()


@pytest.mark.parametrize("refused", [False, True], ids=["foreseen", "refused"])
async def test_registers_alone_stop_the_agent_lose_nothing_and_go_on_when_there_is_room(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    disk = start(small_disk / "spool")
    await write(disk, 5, Lane.REGISTERS)
    others = fill(small_disk, leave=700_000)
    if refused:
        monkeypatch.setattr(room, "disk_space", lambda _: DiskSpace(DISK_BYTES, DISK_BYTES))
    with pytest.raises(SpoolFull):
        await write(disk, 200, Lane.REGISTERS)
    durable = len(disk.told)
    assert durable > 5
    disk.kill_and_start()
    assert len(disk.told) == len(disk.frames()) == durable
    assert disk.lost() == []
    others.unlink()
    await write(disk, 2, Lane.REGISTERS)
    assert disk.accounted() == disk.taken() == 400 * (durable + 2)
    disk.kill()


async def test_the_reason_can_be_written_when_the_disk_has_no_byte_for_it(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others take each byte that is given back; the space taken beforehand is there all the same."""
    disk = start(small_disk / "spool")
    await write(disk, 30, Lane.SAMPLES)
    assert (small_disk / "spool" / "ballast").exists()
    with (small_disk / "spool" / "epochs.log").open("ab") as file:  # no room is left in its last page
        file.write(b"\n" * (4096 - file.tell() % 4096))
    disk.kill_and_start()
    size = (small_disk / "spool" / "epochs.log").stat().st_size
    disk.spool.store._table._files[0].append(b"\n" * (4096 - size % 4096))
    fill(small_disk)
    await write(disk, 1, Lane.REGISTERS)
    assert not (small_disk / "spool" / "ballast").exists()
    assert disk.spool.store.lost_readings(Lane.SAMPLES)["disk_full"] > 0
    assert disk.accounted() == disk.taken() == 400 * 31
    (small_disk / "others.log").unlink()
    disk.kill_and_start()
    assert (small_disk / "spool" / "ballast").exists()
    disk.kill()


async def test_on_a_read_only_disk_nothing_is_counted_or_told(small_disk: Path) -> None:
    disk = start(small_disk / "spool")
    await write(disk, 2, Lane.REGISTERS)
    await disk.spool.close()
    remount(small_disk, "ro")
    with pytest.raises(OutsideError) as refused:
        start(small_disk / "spool")
    assert refused.value.exit_code == 3 and "read-only" in refused.value.cause.lower()
    remount(small_disk, "rw")
    disk = start(small_disk / "spool")
    assert disk.accounted() == disk.taken() == 800
    disk.kill()


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO])
async def test_a_disk_that_fails_under_way_ends_the_run_with_what_was_durable(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int, data: object) -> int:
        raise OSError(number, os.strerror(number))

    disk = start(tmp_path / "spool")
    await write(disk, 2, Lane.REGISTERS)
    monkeypatch.setattr(os, "write", fail)
    for _ in range(2):
        with pytest.raises(OutsideError, match=os.strerror(number)) as failed:
            await write(disk, 1, Lane.REGISTERS)
        assert failed.value.exit_code == 3 and failed.value.cause and failed.value.next
    monkeypatch.undo()
    assert (len(disk.told), disk.spool.store.heads()[Lane.REGISTERS].frames) == (2, 2)
    disk.kill_and_start()
    assert disk.accounted() == disk.taken() == 800
    disk.kill()


@pytest.fixture
def no_larger_file() -> Iterator[Callable[[int], None]]:
    """Forbid this process to make any file larger than so much: a full disk where nobody is root."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_an_append_that_is_cut_off_by_the_system_leaves_no_trace(
    tmp_path: Path, no_larger_file: Callable[[int], None]
) -> None:
    disk = start(tmp_path / "spool")
    await write(disk, 2, Lane.REGISTERS)
    (path,) = disk.files()
    size = path.stat().st_size
    no_larger_file(size + 5_000)
    with pytest.raises(SpoolFull):
        await write(disk, 1, Lane.REGISTERS)
    assert path.stat().st_size == size
    no_larger_file(1 << 40)
    disk.kill_and_start()
    assert (len(disk.told), disk.lost()) == (2, [])
    disk.kill()


def test_a_lock_is_let_go_with_its_holder(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    with pytest.raises(OutsideError, match="another process"):
        Lock(tmp_path / "lock")
    lock.release()
    Lock(tmp_path / "lock").release()
