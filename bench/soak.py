"""Half an hour of 5,000 readings a second under random faults: what is held, memory, files. Prints JSON.

Run it as ``.venv/bin/python -m bench.soak [--minutes 30] [--seed 1] [--readings 5000]`` on a machine that
does nothing else (Linux: it reads /proc; half an hour: 2 GB of temporary space). Exit code 1: something is
not as it must be, and ``wrong`` says what.

Simulated meters answer an agent in real time, each reply with a number of its own; a Mosquitto with its stock
settings and a collector on SQLite stand behind lines that are cut, torn, slow, far and silent, and processes
are killed. At the end every number that was served must be in the ledger or in the reading store, but for
what an agent had read in the last seconds before it was killed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.soak_load.faults import DRAINED_S, disturb
from bench.soak_load.verdict import FLUSHED_WITHIN_S, verdict
from bench.soak_load.watch import Watch, figures
from bench.soak_load.works import AGENT, COLLECTOR, SEIREN, Works

CALM_AT_THE_END_S = 60.0
DRAINS_WITHIN_S = 300.0
MOST_FILES = {AGENT: 150, COLLECTOR: 100}
MOST_SLOPE_MB = 10.0
"""Memory that a process may gain in ten minutes [MB]."""


def main() -> None:
    """Run the soak, print the figures, and exit with 1 if something is wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--readings", type=int, default=5_000, help="per second")
    parser.add_argument("--folder", type=Path, help="kept afterwards; default: a temporary one")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        told = asyncio.run(soak(folder, asked.minutes * 60, asked.seed, asked.readings))
    print(json.dumps(told, indent=1))
    sys.exit(bool(told["wrong"]))


async def soak(folder: Path, seconds: float, seed: int, readings_per_s: int) -> dict[str, Any]:
    """Return the figures of one run."""
    async with Works(folder, readings_per_s) as works:
        with Watch(works.processes, (AGENT, COLLECTOR)) as watch:
            faults = await disturb(works, seed, seconds - CALM_AT_THE_END_S)
            await asyncio.sleep(CALM_AT_THE_END_S)
            works.check()
            late_s = await drained(works, DRAINED_S)
            served = await asyncio.to_thread(works.served)
            await asyncio.sleep(FLUSHED_WITHIN_S["counters"])
            await drained(works, 0)
        codes = {name: await works.stop(name) for name in (AGENT, COLLECTOR)}
        kills = [at_s for name, at_s in works.kills if name == AGENT]
        counted = await asyncio.to_thread(counted_by_seiren, works.hq)
        found = {
            "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
            "seconds": round(seconds),
            "seed": seed,
            "readings_per_s": works.readings_per_s,
            "faults": faults,
            "drained_after_s": late_s,
            "exit_codes": codes,
            "processes": figures(watch.lives),
            "count_exit_code": counted.returncode,
            "counts": json.loads(counted.stdout)["counts"] if counted.stdout else counted.stderr,
            **verdict(works.hq, served, kills),
        }
    return {**found, "wrong": wrong(found)}


def counted_by_seiren(hq: Path) -> subprocess.CompletedProcess[str]:
    """Run `seiren count`."""
    count = [str(SEIREN), "count", str(hq), "--format", "json"]
    return subprocess.run(count, capture_output=True, text=True, check=False)


async def drained(works: Works, all_but_s: float) -> float | None:
    """Wait until no more waits than is taken in so long; return how long it took [s], None: never."""
    started_s = time.monotonic()
    while (passed_s := time.monotonic() - started_s) < DRAINS_WITHIN_S:
        if await asyncio.to_thread(works.has_drained, all_but_s):
            return round(passed_s, 1)
        await asyncio.sleep(0.5)
    return None


def wrong(found: dict[str, Any]) -> list[str]:
    """Return what is not as it must be, in words."""
    told = [f"{name} ended with {code}" for name, code in found["exit_codes"].items() if code]
    if found["count_exit_code"]:
        told.append("seiren count says no")
    if found["drained_after_s"] is None:
        told.append("the backlog does not go away")
    if found["invented"]:
        told.append(f"{found['invented']} readings were never served")
    told += [
        f"{found[kind]['unexplained']} {kind} are neither held nor named"
        for kind in ("gauges", "counters")
        if found[kind]["unexplained"]
    ]
    told += [
        f"after {fault['fault']} at {fault['at_s']} s the backlog did not go away"
        for fault in found["faults"]
        if fault["backlog_gone_after_s"] is None
    ]
    for name, process in found["processes"].items():
        if process["open_files_max"] > MOST_FILES[name]:
            told.append(f"{name} had {process['open_files_max']} files open")
        if (process["memory_slope_mb_per_10_min"] or 0) > MOST_SLOPE_MB:
            told.append(f"the memory of {name} grows")
    return told


if __name__ == "__main__":
    main()
