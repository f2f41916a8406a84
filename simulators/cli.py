"""The simulators' commands: `seiren demo`, and the hidden `seiren simulate` that it starts."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from config.loading import load_agent
from config.secret_files import read_secret
from core.errors import UsageError
from simulators.broker import BROKERS
from simulators.demo import Outcome, run_demo, seiren_command
from simulators.folder import InfluxAccess
from simulators.options import FAULTS, WORKS_MONTH, DemoOptions


class StoreKind(StrEnum):
    """Where the collector keeps readings."""

    SQLITE = "sqlite"
    INFLUXDB = "influxdb"


def demo(
    out: Annotated[Path, typer.Option(help="Folder to write; an earlier demo in it is replaced.")] = Path(
        "demo-out"
    ),
    seed: Annotated[int, typer.Option(help="Of the synthetic works and of the faults' moments.")] = 1,
    replay: Annotated[
        Path | None, typer.Option(help="CSV whose energy column becomes a meter's register.")
    ] = None,
    month: Annotated[
        str | None, typer.Option(help="Month of the file, 2018-03, or a whole year, 2018.")
    ] = None,
    store: Annotated[StoreKind, typer.Option(help="Reading store.")] = StoreKind.SQLITE,
    influx_url: Annotated[str | None, typer.Option(help="An InfluxDB 2 that runs already.")] = None,
    influx_org: Annotated[str, typer.Option(help="Its organisation.")] = "seiren",
    influx_bucket: Annotated[str, typer.Option(help="Its bucket.")] = "readings",
    influx_token_file: Annotated[
        Path | None, typer.Option(help="File with its token. Default: SEIREN_INFLUX_TOKEN's value.")
    ] = None,
    broker: Annotated[str, typer.Option(help=f"MQTT broker: {' or '.join(BROKERS)}.")] = BROKERS[0],
    fault: Annotated[
        list[str] | None,
        typer.Option(help=f"Strike once, at a seeded moment: {', '.join(FAULTS)}."),
    ] = None,
) -> None:
    """Run a month of a synthetic works, or of a file, through real meters, agents, broker and ledger."""
    influx = None
    if influx_url is not None:
        influx = InfluxAccess(influx_url, influx_org, influx_bucket, _token(influx_token_file))
    if replay is not None and month is None:
        raise UsageError("Which month of the file?", where="--month", next="add --month 2018-03, or 2018")
    options = DemoOptions(
        out=out,
        seed=seed,
        month=month or WORKS_MONTH,
        replay=replay,
        store=store.value,
        influx=influx,
        faults=tuple(name for text in fault or () for name in text.split(",")),
        broker=broker,
    )
    outcome = asyncio.run(_until_ended(run_demo(options, seiren_command())))
    _report(options, outcome)


def _token(file: Path | None) -> str:
    """The token of an InfluxDB that runs already; never an argument, which the list of processes shows."""
    token = os.environ.get("SEIREN_INFLUX_TOKEN") if file is None else read_secret(file, "the token")
    if not token:
        raise UsageError(
            "A token is missing",
            where="--influx-token-file",
            next="name a file that holds the InfluxDB's token",
        )
    return token


simulate = typer.Typer(
    hidden=True, no_args_is_help=True, help="Serve simulated devices.", rich_markup_mode=None
)


@simulate.command()
def works(
    agents: Annotated[list[Path], typer.Argument(help="Configurations of the agents that take part.")],
    month: Annotated[str, typer.Option()],
    port: Annotated[int, typer.Option(help="Where the conductor listens on loopback.")],
    seed: Annotated[int, typer.Option()] = 1,
    replay: Annotated[Path | None, typer.Option()] = None,
    fault: Annotated[
        list[str] | None, typer.Option(help="A fault that strikes one meter for a while.")
    ] = None,
) -> None:
    """Serve simulated meters where the agents' configurations expect them, in stepped time."""
    from simulators.run import simulate as run_simulation  # here: the demo needs no meter library

    configs = [load_agent(path) for path in agents]
    _serve(run_simulation(configs, month, seed=seed, replay=replay, port=port, faults=tuple(fault or ())))


@simulate.command()
def meter(
    product: Annotated[str, typer.Argument(help="Which product; a wrong name shows all.")],
    port: Annotated[int, typer.Option(help="TCP port on loopback; 0: any free one.")] = 1502,
    serial: Annotated[Path | None, typer.Option(help="A serial line instead of a port.")] = None,
    baud: Annotated[int, typer.Option(help="Its speed, with even parity.")] = 9600,
    rtu: Annotated[bool, typer.Option("--rtu", help="Frames of a serial line over TCP.")] = False,
    unit: Annotated[int, typer.Option(min=1, max=247)] = 1,
    power_kw: Annotated[float, typer.Option(help="Its constant power.")] = 100.0,
    fault: Annotated[
        list[str] | None, typer.Option(help="A fault from the start, as late-replies:delay_ms=500.")
    ] = None,
) -> None:
    """Serve one meter in real time, to try the tools on.

    The line of JSON that it prints also tells a loopback port that takes `set meter FAULT`, `clear meter`.
    """
    from simulators.single import Wanted, simulate_meter

    framing = "rtu" if rtu else "tcp"
    _serve(simulate_meter(Wanted(product, unit, power_kw, port, serial, baud, framing, tuple(fault or ()))))


def _serve(work: Coroutine[Any, Any, None]) -> None:
    if sys.platform == "win32":
        run = asyncio.run
    else:
        from uvloop import run
    run(_until_ended(work, wanted=True))


async def _until_ended(work: Coroutine[Any, Any, Any], *, wanted: bool = False) -> Any:
    """Await `work`; SIGTERM and Ctrl-C cancel it, which for a server is its `wanted` end."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        if wanted:
            return None
        typer.echo("\nstopped; nothing is left running", err=True)
        raise typer.Exit(130) from None


def _report(options: DemoOptions, outcome: Outcome) -> None:
    """Print the month as the ledger has it, and what to try next."""
    folder = options.out
    rate = outcome.stored / outcome.running_s
    typer.echo(f"\n{outcome.report}", nl=False)
    for line in outcome.faults:
        typer.echo(f" fault       {line}")
    typer.echo(
        f" speed       {outcome.stored:,} readings into the ledger in {outcome.running_s:.0f} s, "
        f"{rate:,.0f} a second\n"
    )
    left = [folder / "statement.json"] if options.covers_a_month else []
    typer.echo(f" {'   '.join(str(path) for path in (*left, folder / 'ledger.sqlite'))}")
    word = " next  "
    for command, why in _next_steps(options):
        typer.echo(f"{word}{command:<39} {why}")
        word = "       "


def _next_steps(options: DemoOptions) -> list[tuple[str, str]]:
    steps = []
    if options.covers_a_month:
        steps += [
            (f"seiren web {options.out}", "the month as HQ sees it"),
            (f"seiren month show {options.out} {options.month} --why co2", "where the figure comes from"),
        ]
    if options.replay is None and not options.faults:
        steps.append(("seiren demo --fault collector-killed", "the same month, the same figures"))
    return [*steps, (f"seiren count {options.out}", "what was taken, stored and lost")]
