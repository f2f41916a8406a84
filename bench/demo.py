"""The demo's month, measured from outside: wall time, rate, bytes on the wire, memory. Prints JSON.

Run it as ``.venv/bin/python bench/demo.py`` on a machine that does nothing else (Linux: it reads /proc).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import yaml
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

SEIREN = Path(sys.executable).with_name("seiren")


def main() -> None:
    """Run the demo once and print what was seen."""
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "out"
        started_s = time.monotonic()
        demo = subprocess.Popen([SEIREN, "demo", "--out", out], stdout=subprocess.DEVNULL)
        wire: Counter[str] = Counter()
        peaks: dict[str, int] = {}
        listener = threading.Thread(target=listen, args=(out, wire, demo), daemon=True)
        listener.start()
        while demo.poll() is None:
            peaks |= peaks_mb(out)
            time.sleep(0.2)
        wall_s = time.monotonic() - started_s
        listener.join(5)
        counts = json.loads(subprocess.check_output([SEIREN, "count", out, "--format", "json"]))["counts"]
        stored = Counter(registers=0, samples=0)
        for row in counts:
            stored[row["lane"]] += row["stored"]
        figures = {
            "exit": demo.returncode,
            "wall_s": round(wall_s, 1),
            "readings": stored.total(),
            "readings_per_s_of_wall_time": round(stored.total() / wall_s),
            "wire_bytes_per_reading": {lane: round(wire[lane] / n, 1) for lane, n in stored.items()},
            "ack_bytes_per_reading": round(wire["ack"] / stored.total(), 1),
            "peak_memory_mb": peaks,
        }
        print(json.dumps(figures, indent=1))


def listen(out: Path, wire: Counter[str], demo: subprocess.Popen[bytes]) -> None:
    """Count the payload bytes of each kind of topic."""

    def take(_client: Client, _data: object, message: MQTTMessage) -> None:
        kind = next(
            (part for part in message.topic.split("/") if part in ("registers", "samples", "ack")), ""
        )
        wire[kind] += len(message.payload)

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = take
    while demo.poll() is None:
        try:
            port = yaml.safe_load((out / "hq.yaml").read_text(encoding="utf-8"))["broker"]["port"]
            client.connect("127.0.0.1", port)
        except (OSError, TypeError):
            time.sleep(0.02)
        else:
            break
    client.subscribe("seiren/#", qos=0)
    while demo.poll() is None:
        client.loop(0.1)


def peaks_mb(out: Path) -> dict[str, int]:
    """Return the largest resident memory so far of the run's processes, by command [MB]."""
    peaks = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            status = (entry / "status").read_text()
        except OSError:
            continue
        if str(out) in " ".join(command) and "seiren" in " ".join(command[:2]) and "demo" not in command:
            name = " ".join(Path(part).name for part in command[2:5])
            peak_kb = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
            peaks[name] = int(peak_kb) // 1024
    return peaks


if __name__ == "__main__":
    main()
