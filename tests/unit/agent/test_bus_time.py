"""The arithmetic of a bus's time, against sums worked by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.modbus.plan import Block
from agent.setup.bus_time import bus_times, frame_time_s, time_problems, time_warnings
from config.agent import AgentConfig, Gateway, load_agent
from core.delivery.frames import Lane

AGENT = """
agent: aoba-1
site: aoba
time_zone: Asia/Tokyo
broker: {{host: 127.0.0.1}}
required_ledgers: [hq]
registers: {{every_s: 60}}
samples: {{every_s: {every_s}}}
gateways:
  bus: {bus}
devices:
"""
DEVICE = """
  - id: M{unit}
    profile: schneider_pm5xxx
    modbus: {{gateway: bus, unit: {unit}}}
    points: [active_energy_import, active_power]
"""
LINE = "{serial: /dev/serial/by-id/x, baud: 9600}"


def configured(folder: Path, *, units: int, bus: str, every_s: float) -> AgentConfig:
    path = folder / "agent.yaml"
    text = AGENT.format(bus=bus, every_s=every_s) + "".join(DEVICE.format(unit=at + 1) for at in range(units))
    path.write_text(text, encoding="utf-8")
    return load_agent(path)


@pytest.mark.parametrize(
    ("baud", "function", "count", "expected_s"),
    [
        (9600, 3, 2, 17 * 11 / 9600 + 7 * 11 / 9600),  # 8 bytes out, 5 + 4 back, two silences of 3.5
        (9600, 1, 9, 15 * 11 / 9600 + 7 * 11 / 9600),  # nine bits travel in two bytes
        (115200, 3, 125, 263 * 11 / 115200 + 0.0035),  # above 19,200 bit/s the silence is 1.75 ms
    ],
)
def test_a_frame_takes_its_characters_and_silences(
    baud: int, function: int, count: int, expected_s: float
) -> None:
    link = Gateway(serial="/dev/x", baud=baud).link()
    assert frame_time_s(link, Block(function, 0, count, ())) == pytest.approx(expected_s)
    assert frame_time_s(Gateway(host="x").link(), Block(function, 0, count, ())) == 0


def test_ten_meters_on_a_line(tmp_path: Path) -> None:
    """Ten requests of two words: 10 x 24 characters of 11 bits at 9600 bit/s are 0.275 s."""
    config = configured(tmp_path, units=10, bus=LINE, every_s=1)
    (times,) = bus_times(config).values()
    assert times[Lane.SAMPLES].requests == times[Lane.REGISTERS].requests == 10
    assert times[Lane.SAMPLES].frames_s == pytest.approx(0.275)
    assert times[Lane.SAMPLES].share == pytest.approx(0.275)
    assert not list(time_problems(config))


@pytest.mark.parametrize(("every_s", "refused", "noted"), [(1, 0, 0), (0.3, 0, 1), (0.27, 1, 0)])
def test_what_does_not_fit_is_refused_and_what_hardly_fits_noted(
    every_s: float, refused: int, noted: int, tmp_path: Path
) -> None:
    config = configured(tmp_path, units=10, bus=LINE, every_s=every_s)
    assert len(list(time_problems(config))) == refused
    assert len(list(time_warnings(config))) == noted


def test_pauses_count_and_connections_share_them(tmp_path: Path) -> None:
    one = configured(tmp_path, units=10, bus="{host: x, gap_ms: 110}", every_s=1)
    (problem,) = time_problems(one)
    assert "10 requests of samples = 1.10 s (frames 0.00 + pauses 1.10) every 1 s" in problem.evidence
    assert problem.evidence.endswith("112% of the time")
    assert not list(time_problems(configured(tmp_path, units=10, bus="{host: x, gap_ms: 90}", every_s=1)))
    two = configured(tmp_path, units=10, bus="{host: x, gap_ms: 110, connections: 2}", every_s=1)
    assert not list(time_problems(two))
