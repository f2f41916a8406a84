"""Whom an agent believes: it outlives restarts, errs on the safe side, and only a person changes it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.cli import app
from agent.known_ledgers import FILE, Known, KnownLedgers
from agent.ledger_alarms import LedgerAlarms
from core.errors import OutsideError, SeirenError

OLD, NEW = "a" * 32, "b" * 32
CONFIGURATION = """\
agent: aoba-1
site: aoba
time_zone: Asia/Tokyo
broker: {host: 127.0.0.1}
required_ledgers: [hq, backup]
devices:
  - id: M-1
    profile: abb_b23
    modbus: {host: 127.0.0.1, unit: 1}
"""


@pytest.fixture
def known(tmp_path: Path) -> KnownLedgers:
    (tmp_path / "spool").mkdir()
    return KnownLedgers(tmp_path / "spool")


def run(folder: Path, *words: str, answer: str = "") -> Result:
    path = folder / "agent.yaml"
    path.write_text(CONFIGURATION)
    return CliRunner().invoke(app, ["trust", words[0], str(path), *words[1:]], input=answer)


def what(result: Result) -> str:
    assert isinstance(result.exception, SeirenError)
    return result.exception.render()


def test_who_is_trusted_is_read_again_and_a_new_name_is_new(known: KnownLedgers, tmp_path: Path) -> None:
    assert known.open(["hq"]) == {}
    known.trust("hq", OLD)
    known.trust("hq", NEW)
    known.trust("hq", OLD)
    again = KnownLedgers(tmp_path / "spool")
    assert again.open(["hq", "backup"]) == {"hq": (OLD, NEW)}
    assert ((tmp_path / "spool" / FILE).stat().st_mode & 0o777) == 0o600


def test_a_change_by_somebody_else_is_heard_once(known: KnownLedgers, tmp_path: Path) -> None:
    known.open(["hq"])
    assert known.changed() is None
    KnownLedgers(tmp_path / "spool").trust("hq", NEW)
    assert known.changed() == {"hq": (NEW,)}
    assert known.changed() is None


def test_two_who_change_the_file_do_not_undo_each_other(known: KnownLedgers, tmp_path: Path) -> None:
    other = KnownLedgers(tmp_path / "spool")
    known.open(["hq"])
    other.trust("hq", OLD)
    known.let_wait("hq", NEW)
    assert other.read() == {"hq": Known((OLD,), NEW)}
    assert known.changed() == {"hq": (OLD,)}, "although it was written here last"


def test_whatever_byte_of_the_file_is_damaged_nobody_is_trusted(known: KnownLedgers, tmp_path: Path) -> None:
    known.trust("hq", OLD)
    path = tmp_path / "spool" / FILE
    good = path.read_bytes()
    for at in range(len(good)):
        damaged = good[:at] + bytes([good[at] ^ 0x04]) + good[at + 1 :]
        path.write_bytes(damaged)
        with pytest.raises(OutsideError, match="damaged"):
            known.trust("hq", NEW)
        assert KnownLedgers(tmp_path / "spool").open(["hq"]) == {"hq": ()}
        (aside,) = path.parent.glob(f"{FILE}.damaged-*")
        assert aside.read_bytes() == damaged
        aside.unlink()
        assert KnownLedgers(tmp_path / "spool").open(["hq"]) == {"hq": ()}, "nor after another start"
        path.write_bytes(good[:at])
        assert KnownLedgers(tmp_path / "spool").open(["hq"]) == {"hq": ()}
        for each in path.parent.glob(f"{FILE}.damaged-*"):
            each.unlink()


def test_the_one_who_waits_is_trusted_when_a_person_confirms_it(known: KnownLedgers, tmp_path: Path) -> None:
    known.trust("hq", OLD)
    known.let_wait("hq", NEW)
    no = run(tmp_path, "hq", answer="n\n")
    assert no.exit_code == 1 and "is not trusted" in what(no)
    assert known.read()["hq"] == Known((OLD,), NEW)
    yes = run(tmp_path, "hq", answer="y\n")
    assert yes.exit_code == 0 and f"hq {NEW} is trusted" in yes.output
    assert all(len(line) <= 80 and line.isascii() for line in (no.output + yes.output).splitlines())
    assert known.read()["hq"] == Known((OLD, NEW))


def test_an_id_that_headquarters_read_out_is_trusted_before_it_was_ever_heard(
    known: KnownLedgers, tmp_path: Path
) -> None:
    known.trust("hq", OLD)
    assert run(tmp_path, "hq", "--id", NEW).exit_code == 0
    assert known.read()["hq"] == Known((OLD, NEW))


def test_what_cannot_be_trusted(known: KnownLedgers, tmp_path: Path) -> None:
    nobody = run(tmp_path, "hq")
    assert nobody.exit_code == 1 and "no other ledger" in what(nobody)
    unknown = run(tmp_path, "hp")
    assert isinstance(unknown.exception, SeirenError)
    assert unknown.exception.exit_code == 2 and "hq, backup" in what(unknown)
    wrong = run(tmp_path, "hq", "--id", "B" * 32)
    assert isinstance(wrong.exception, SeirenError)
    assert wrong.exception.exit_code == 2
    assert known.read() == {}


def test_who_waited_in_an_earlier_run_must_speak_again(known: KnownLedgers, tmp_path: Path) -> None:
    known.trust("hq", OLD)
    known.let_wait("hq", NEW)
    again = KnownLedgers(tmp_path / "spool")
    again.open(["hq"])
    assert again.read()["hq"] == Known((OLD,))


def test_each_alarm_is_told_once_and_again_when_it_comes_back(
    known: KnownLedgers, caplog: pytest.LogCaptureFixture
) -> None:
    known.open(["hq"])
    alarms = LedgerAlarms(known)
    with caplog.at_level(logging.INFO):
        for untrusted, in_turn, strange in (
            ({}, [], 0),
            ({"hq": NEW}, ["hq"], 1),
            ({"hq": NEW}, ["hq"], 2),
            ({}, [], 2),
            ({"hq": OLD}, ["hq"], 2),
        ):
            alarms.look(untrusted, in_turn, strange)
    words = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len([text for text in words if "two collectors call themselves hq" in text]) == 2
    assert len([text for text in words if "another ledger than before" in text]) == 2
    assert len([text for text in words if "no collector has announced" in text]) == 1
    assert known.read()["hq"].waiting == OLD
