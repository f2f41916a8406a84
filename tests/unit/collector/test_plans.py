"""Versions of the plan: adopted by a person, cited by statements, compared and listed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from collector import plans
from collector.figures import statement_for
from collector.ledger import Ledger, decisions
from collector.people import Who
from collector.plan_cli import app
from config.hq import HqConfig, load_hq
from config.plan import plan_digest, plan_document
from core.chain import problems
from core.errors import AnswerIsNo, SeirenError, UsageError
from tests.unit.collector.material import HQ, T0, folder_with

SATO, ITO = Who("m.sato", "sato@hq"), Who("k.ito", "ito@hq")
ROLES = "roles: {k.ito: [approver], m.sato: [reporter]}\n"


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., HqConfig]:
    def load(text: str = HQ) -> HqConfig:
        return load_hq(folder_with(tmp_path / "hq", text))

    return load


def adopt(ledger: Ledger, hq: HqConfig, who: Who = SATO) -> plans.Adopted:
    return plans.adopt(ledger, hq, who=who, reason="a reason", time_ms=T0)


def test_a_version_stands_in_the_chain_whole(ledger: Ledger, configured: Callable[..., HqConfig]) -> None:
    first = adopt(ledger, configured())
    second = adopt(ledger, configured(HQ.replace('"10"', '"20"')))
    assert (first.version, second.version) == (1, 2)
    with ledger.reading() as connection:
        assert plans.versions(connection) == (first, second)
        assert plans.newest(connection) == second
        assert plans.version(connection, 1).document == plan_document(configured())
        assert problems(decisions.read(connection)) == []
        with pytest.raises(UsageError, match="no version 3"):
            plans.version(connection, 3)
    assert second.decision.person == "m.sato"
    assert plan_digest(second.document) == second.digest


def test_the_same_plan_is_not_adopted_twice(ledger: Ledger, configured: Callable[..., HqConfig]) -> None:
    adopt(ledger, configured())
    with pytest.raises(AnswerIsNo, match="version 1 already"):
        adopt(ledger, configured(HQ.replace("port: 1}", "port: 2}")))
    adopt(ledger, configured(HQ.replace('"10"', '"20"')))
    assert adopt(ledger, configured()).version == 3, "back to what it was is a decision too"


def test_only_an_approver_adopts_and_the_version_in_force_says_who(
    ledger: Ledger, configured: Callable[..., HqConfig]
) -> None:
    with pytest.raises(AnswerIsNo, match=r"m\.sato may not") as caught:
        adopt(ledger, configured(HQ + ROLES))
    assert "k.ito" in caught.value.evidence
    adopt(ledger, configured(HQ + ROLES), ITO)
    usurped = HQ + "roles: {m.sato: [approver, reporter]}\n"
    with pytest.raises(AnswerIsNo, match=r"m\.sato may not"):
        adopt(ledger, configured(usurped))
    assert adopt(ledger, configured(usurped), ITO).version == 2


def test_a_statement_cites_the_version_that_it_follows(
    ledger: Ledger, configured: Callable[..., HqConfig]
) -> None:
    hq = configured()
    digest = plan_digest(plan_document(hq))

    def cited(hq: HqConfig) -> object:
        return statement_for(ledger, hq, "2024-02").header["plan"]

    assert cited(hq) == {"version": None, "digest": digest}
    adopt(ledger, hq)
    assert cited(hq) == {"version": 1, "digest": digest}
    other = configured(HQ.replace('"10"', '"20"'))
    assert cited(other) == {"version": None, "digest": plan_digest(plan_document(other))}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    made = folder_with(tmp_path)
    Ledger.open(made, create=True).close()
    yield made


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_plan_is_looked_at_before_it_is_adopted(folder: Path) -> None:
    looked = run("adopt", folder, "--reason", "begin", "--by", "m.sato")
    assert looked.exit_code == 0
    assert "aoba: new site, meters AOB-KLN-01, AOB-RCV-01" in looked.output
    assert "nothing was written" in looked.output
    assert "not adopted" in run("list", folder).output
    done = run("adopt", folder, "--reason", "begin", "--by", "m.sato", "--yes")
    assert "version 1 adopted by m.sato" in done.output
    listed = json.loads(run("list", folder, "--format", "json").output)
    assert [(each["version"], each["by"], each["reason"]) for each in listed["versions"]] == [
        (1, "m.sato", "begin")
    ]
    assert listed["file"]["version"] == 1


def test_a_difference_is_told_and_is_exit_1(folder: Path) -> None:
    run("adopt", folder, "--reason", "begin", "--yes")
    same = run("diff", folder)
    assert (same.exit_code, same.output.splitlines()[-1]) == (0, " the same")
    folder_with(folder, HQ.replace('"10"', '"20"'))
    run("adopt", folder, "--reason", "corrected", "--yes")
    folder_with(folder, HQ.replace("AOB-KLN-01", "AOB-KLN-02"))
    found = run("diff", folder)
    assert found.exit_code == 1
    assert found.output.startswith(f"version 2 → {folder}")
    assert "AOB-KLN-01: meter removed" in found.output
    between = run("diff", folder, 1, 2)
    assert between.output.splitlines() == [
        "version 1 → version 2",
        " AOB-RCV-01: worth of a count [Wh] 10 → 20 from 2020-10-01",
    ]
    told = json.loads(run("diff", folder, 1, 2, "--format", "json").output)["differences"]
    assert told == ["AOB-RCV-01: worth of a count [Wh] 10 → 20 from 2020-10-01"]
    assert isinstance(run("diff", folder, 1, 9).exception, UsageError)


def test_a_version_is_shown_as_it_was(folder: Path) -> None:
    run("adopt", folder, "--reason", "begin", "--yes")
    first = run("show", folder, "--format", "json").output
    folder_with(folder, HQ.replace('"10"', '"20"'))
    assert run("show", folder, "--version", 1, "--format", "json").output == first
    assert "wh_per_count: '20'" in run("show", folder).output


def test_check_shows_the_tree_and_refuses_what_counts_twice(folder: Path) -> None:
    virtual = (
        "    virtual:\n      - {id: V, name: {ja: v, en: rest}, plus: [AOB-RCV-01], minus: [AOB-KLN-01]}\n"
    )
    told = "    exclusions: [{what: canteen, reason: a tenant pays}]\n"
    folder_with(folder, HQ.replace("products:", f"{virtual}{told}products:"))
    good = run("check", folder)
    assert good.exit_code == 0, good.output
    assert " AOB-RCV-01  intake: boundary\n   AOB-KLN-01  kiln: sub\n" in good.output
    assert " V  rest: sub, AOB-RCV-01 - AOB-KLN-01" in good.output
    assert "left out: canteen, because a tenant pays" in good.output
    assert good.output.endswith("YES   no energy counts twice\n")
    assert all(len(line) <= 80 for line in good.output.splitlines())
    rows = json.loads(run("check", folder, "--format", "json").output)["meters"]
    assert [row["meter"] for row in rows] == ["AOB-RCV-01", "AOB-KLN-01", "V"]
    folder_with(folder, HQ.replace("SYN-2", "SYN-1"))
    refused = run("check", folder).exception
    assert isinstance(refused, SeirenError) and refused.exit_code == 2
    assert refused.where.endswith("sites[0].meters[1].installations[0].serial")
    assert isinstance(run("adopt", folder, "--reason", "x", "--yes").exception, SeirenError)
