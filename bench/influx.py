"""Readings per processor second from the broker into InfluxDB, beside Telegraf's. Prints JSON.

Run it as ``.venv/bin/python bench/influx.py [--readings 2000000]`` on a machine that does nothing else
(Linux: it reads /proc; `make influxd` brings the InfluxDB). A backlog of samples goes through a real
Mosquitto into a real InfluxDB 2, once by `seiren collector run`, from the agents' own messages, once, where
a ``telegraf`` with mqtt_consumer and influxdb_v2 is on the PATH, by that, from ready line protocol.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from collector.inbox import Message
from core.delivery import topics
from core.delivery.frames import Lane
from core.delivery.messages import Data, Table, decode, encode
from simulators.broker import broker_command
from simulators.folder import InfluxAccess, free_ports
from simulators.influx import influxd_command, set_up

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.ingest import AGENT, LOADS, SITE, batches

SEIREN = Path(sys.executable).with_name("seiren")
CONNECTED = re.compile(r"connected to the broker|\[inputs.mqtt_consumer\] Connected")  # what either logs
TICKS = os.sysconf("SC_CLK_TCK")
LINES_PER_MESSAGE = 2_000
HQ = """\
company: {{ja: 計測, en: bench}}
broker: {{host: 127.0.0.1, port: {mqtt}}}
metrics_port: null
electricity_factor: industry_adjusted
store: {{kind: influxdb, url: "{url}", org: {org}, bucket: {bucket}, token_file: token}}
sites:
  - id: aoba
    name: {{ja: 計測, en: bench}}
    time_zone: Asia/Tokyo
    boundary: [R-1]
    meters:
      - id: R-1
        name: {{ja: 計測, en: bench}}
        quantity: active_energy_import
        current: ac
        installations: [{{from: 2020-01-01, serial: S, wh_per_count: "1", side: primary}}]
"""
TELEGRAF = """\
[agent]
  omit_hostname = true
  flush_interval = "1s"
  metric_batch_size = 5000
  metric_buffer_limit = 1000000
[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{mqtt}"]
  topics = ["bench/lines"]
  qos = 1
  data_format = "influx"
[[outputs.influxdb_v2]]
  urls = ["{url}"]
  organization = "{org}"
  bucket = "{bucket}"
  token = "{token}"
"""


def main() -> None:
    """Run what there is and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--readings", type=int, default=2_000_000)
    asked = parser.parse_args()
    samples = next(each for each in LOADS if each.lane is Lane.SAMPLES)
    load = replace(samples, meters=1_000 // samples.points_per_meter, readings=asked.readings)  # one table
    table = load.table()
    messages = [message for batch in batches(load, table) for message in batch]
    readings = sum(
        frame.n for _, raw in messages if isinstance(data := decode(raw), Data) for frame in data.frames
    )
    explained = (topics.data(SITE, AGENT, load.lane), encode(Table(digest=table.digest, points=table.rows)))
    figures: dict[str, object] = {
        "readings": readings,
        "seiren": run(seiren, [explained, *messages], readings),
    }
    if shutil.which("telegraf"):
        points = [row.point.split(".") for row in table.rows]
        figures["telegraf"] = run(telegraf, lines_of(messages, points), readings)
    print(json.dumps(figures, indent=1))


def lines_of(messages: Sequence[Message], points: Sequence[Sequence[str]]) -> list[Message]:
    """Return the same readings as line protocol."""
    starts = [f"reading,meter={meter},quantity={quantity} quality=0i,value=" for meter, quantity in points]
    lines = [
        f"{starts[number]}{count * 10.0!r} {time_ms}000000"
        for _, raw in messages
        if isinstance(data := decode(raw), Data)
        for frame in data.frames
        for time_ms, group in json.loads(frame.payload)
        for number, count in group
    ]
    parts = (lines[i : i + LINES_PER_MESSAGE] for i in range(0, len(lines), LINES_PER_MESSAGE))
    return [("bench/lines", "\n".join(part).encode()) for part in parts]


GIVEN_UP_AFTER_S = 20
"""What has not come so long after the last that did is taken for lost [s]."""

Run = Callable[[Path, int, InfluxAccess], list[str]]
"""From a folder, the broker's port and an InfluxDB to a command."""


def run(consumer: Run, messages: Sequence[Message], readings: int) -> dict[str, int]:
    """Return what one program costs for all messages."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        mqtt, other, http = free_ports(3)
        broker = broker_command("mosquitto", folder / "broker", mqtt_port=mqtt, port=other)
        with child(broker, folder), child(influxd_command(folder / "influxd", port=http), folder):
            access = set_up(ready(f"http://127.0.0.1:{http}"))
            with child(consumer(folder, mqtt, access), folder) as process:
                log = folder / "programs.log"
                while not CONNECTED.search(log.read_text(encoding="utf-8")):
                    assert process.poll() is None, "it ended"
                    time.sleep(0.2)
                time.sleep(2)  # it subscribes, and is idle again
                before_s, began_s = cpu_s(process), time.monotonic()
                publish(mqtt, messages)
                there, grew_s = 0, began_s
                while there < readings and time.monotonic() < grew_s + GIVEN_UP_AFTER_S:
                    assert process.poll() is None, "it ended"
                    time.sleep(0.2)
                    if (now_there := stored(access)) > there:
                        there, grew_s = now_there, time.monotonic()
                        took_s, wall_s = cpu_s(process) - before_s, grew_s - began_s
                return {
                    "readings_per_cpu_s": round(there / took_s),
                    "readings_per_s": round(there / wall_s),
                    "readings_missing": readings - there,
                    "peak_memory_mb": peak_mb(process),
                }


def seiren(folder: Path, mqtt: int, access: InfluxAccess) -> list[str]:
    """Return a collector's command."""
    facts = {"mqtt": mqtt, "url": access.url, "org": access.org, "bucket": access.bucket}
    (folder / "hq.yaml").write_text(HQ.format(**facts), encoding="utf-8")
    (folder / "token").write_text(access.token, encoding="utf-8")
    return [str(SEIREN), "collector", "run", str(folder)]


def telegraf(folder: Path, mqtt: int, access: InfluxAccess) -> list[str]:
    """Return Telegraf's command."""
    facts = {
        "mqtt": mqtt,
        "url": access.url,
        "org": access.org,
        "bucket": access.bucket,
        "token": access.token,
    }
    config = folder / "telegraf.conf"
    config.write_text(TELEGRAF.format(**facts), encoding="utf-8")
    return ["telegraf", "--config", str(config)]


def stored(access: InfluxAccess) -> int:
    """Return how many readings the InfluxDB has."""
    query = (
        f'from(bucket: "{access.bucket}") |> range(start: 0)'
        ' |> filter(fn: (r) => r._measurement == "reading" and r._field == "value")'
        " |> count() |> group() |> sum()"
    )
    request = urllib.request.Request(
        f"{access.url}/api/v2/query?org={access.org}",
        data=query.encode(),
        headers={"Authorization": f"Token {access.token}", "Content-Type": "application/vnd.flux"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        rows = answer.read().decode().strip().splitlines()
    return int(rows[-1].split(",")[-1]) if len(rows) > 1 else 0


def publish(port: int, messages: Sequence[Message]) -> None:
    """Send messages as fast as the broker takes them."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for topic, payload in messages:
        sent = client.publish(topic, payload, qos=1)
        if sent.mid % 20 == 0:
            sent.wait_for_publish(60)
    sent.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


@contextmanager
def child(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends; its output goes to a file."""
    with (folder / "programs.log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def ready(url: str) -> str:
    """Return the address once the InfluxDB there answers."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=1):
                return url
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the InfluxDB did not start")


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """Return the processor time that a process has used [s]."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mb(process: subprocess.Popen[bytes]) -> int:
    """Return the most memory that a process has had [MB]."""
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
