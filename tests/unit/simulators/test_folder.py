from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.loading import load_agent, load_hq
from core.errors import UsageError
from simulators.folder import MARKER, InfluxAccess, claim, site_folder, write


@pytest.mark.parametrize("site", ["demo", "replay"])
def test_the_written_files_load_with_other_ports_and_agree_on_them(tmp_path: Path, site: str) -> None:
    folder = write(tmp_path, site=site, synthetic="seed 7", influx=None)
    hq = load_hq(tmp_path)
    assert hq.synthetic == "seed 7"
    assert hq.broker is not None and hq.broker.port == folder.mqtt_port
    for path in folder.agents:
        agent = load_agent(path)
        assert agent.broker.port == folder.mqtt_port
        assert agent.required_ledgers == (hq.ledger.name,)
        assert agent.spool.parent == tmp_path
        assert agent.site == hq.sites[0].id
        assert agent.time_zone == hq.sites[0].time_zone
        for port in re.findall(r"port: (\d+)", path.read_text()):
            assert port not in (site_folder(site) / path.name).read_text()
    read = {device.id for path in folder.agents for device in load_agent(path).devices}
    assert {meter.id for meter in hq.sites[0].meters} == read


@pytest.mark.parametrize("site", ["demo", "replay"])
def test_agents_and_headquarters_agree_on_each_meter(site: str) -> None:
    meters = {meter.id: meter.installations[-1] for meter in load_hq(site_folder(site)).sites[0].meters}
    for path in site_folder(site).glob("agent*.yaml"):
        for device in load_agent(path).devices:
            record = meters[device.id]
            assert (device.profile, device.ct, device.vt, device.side) == (
                record.profile,
                record.ct,
                record.vt,
                record.side,
            )


def test_the_influx_store_has_its_token_in_a_file_of_its_own(tmp_path: Path) -> None:
    access = InfluxAccess("http://127.0.0.1:8086", "seiren", "readings", "s3cret")
    write(tmp_path, site="demo", synthetic="seed 1", influx=access)
    store = load_hq(tmp_path).store
    assert store.kind == "influxdb" and store.bucket == "readings"
    assert "s3cret" not in (tmp_path / "hq.yaml").read_text()
    token = tmp_path / store.token_file
    assert token.read_text().strip() == "s3cret"
    assert token.stat().st_mode & 0o077 == 0


def test_an_earlier_demo_is_replaced_and_anything_else_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    claim(out, {"seed": 1})
    write(out, site="demo", synthetic="seed 1", influx=None)
    (out / "logs").mkdir()
    (out / "logs" / "broker.log").write_text("old")
    claim(out, {"seed": 2})
    assert [path.name for path in out.iterdir()] == [MARKER]
    assert '"seed": 2' in (out / MARKER).read_text()
    (out / MARKER).unlink()
    (out / "thesis.txt").write_text("ten years of work")
    with pytest.raises(UsageError) as caught:
        claim(out, {})
    assert MARKER in caught.value.evidence
    assert (out / "thesis.txt").exists()
    with pytest.raises(UsageError):
        claim(out / "thesis.txt", {})
