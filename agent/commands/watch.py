"""`seiren agent watch`: the meters as they are now, refreshed in place each second."""

from __future__ import annotations

import os
import select
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.options import Form
from agent.commands.status import Running, absent
from agent.health.ask import ask
from agent.health.facts import Facts
from agent.health.render_watch import frame, rows_of
from config.agent import AgentConfig
from config.loading import load_agent

_EVERY_S = 1.0
_ALL = 1_000_000
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


def watch(
    config: Running = Path("agent.yaml"),
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    form: Annotated[
        Form, typer.Option("--format", help="For people, or one JSON line each second.")
    ] = Form.TABLE,
) -> None:
    """Watch the meters of a running agent.

    On a terminal the table is refreshed each second: q quits, p pauses, the space bar turns the page.
    Elsewhere it is printed once.

    Exit codes: 0, or 3 if the agent does not answer.
    """
    settings = load_agent(config)
    if form is Form.JSON:
        _json_lines(settings, config, once=once)
    elif once or not (sys.stdin.isatty() and sys.stdout.isatty()):
        facts = _told(settings, config)
        for line in frame(facts, rows=_ALL, keys=False):
            typer.echo(line)
    else:
        _told(settings, config)  # an agent that does not run is told on the plain screen
        with _screen() as (show, key):
            _refresh(settings, show, key)


def _told(settings: AgentConfig, path: Path) -> Facts:
    """The facts of the running agent, or the end of this command."""
    answer, facts = ask(settings)
    if facts is None:
        for line in absent(settings, path, answer):
            typer.echo(line, err=True)
        raise typer.Exit(3)
    return facts


def _json_lines(settings: AgentConfig, path: Path, *, once: bool) -> None:
    while True:
        typer.echo(_told(settings, path).model_dump_json())
        if once:
            return
        sys.stdout.flush()
        time.sleep(_EVERY_S)


def _refresh(settings: AgentConfig, show: Callable[[list[str]], None], key: Callable[[float], str]) -> None:
    """Show frame after frame until q is pressed."""
    page, paused, facts = 0, False, None
    while True:
        asked_s = time.monotonic()
        if not paused:
            facts = ask(settings)[1]
        columns, height = shutil.get_terminal_size()
        if facts is None:
            screen = [f"{settings.agent} does not answer; asked again each second   q quit"]
        else:
            screen = frame(facts, rows=rows_of(height), page=page, is_paused=paused)
        show([_coloured(line[:columns]) for line in screen[:height]])
        while (rest_s := asked_s + _EVERY_S - time.monotonic()) > 0:
            pressed = key(rest_s)
            if pressed in ("q", "\x03", "\x04"):
                return
            if pressed:
                paused ^= pressed == "p"
                page += pressed == " "
                break


def _coloured(line: str) -> str:
    """A line in bold where its state says in capitals that something is wrong: only a second signal."""
    wrong = line[-6:].strip().isupper() or "broker DOWN" in line
    return f"\x1b[1m{line}\x1b[0m" if wrong and "NO_COLOR" not in os.environ else line


@contextmanager
def _screen() -> Iterator[tuple[Callable[[list[str]], None], Callable[[float], str]]]:
    """The terminal's other screen, with single keys; it is as before afterwards."""
    import termios  # only where there is a terminal of this kind
    import tty

    source = sys.stdin.fileno()
    before = termios.tcgetattr(source)

    def show(lines: list[str]) -> None:
        sys.stdout.write("\x1b[H" + "".join(f"{line}\x1b[K\r\n" for line in lines[:-1]))
        sys.stdout.write(f"{lines[-1]}\x1b[K\x1b[J")
        sys.stdout.flush()

    def key(within_s: float) -> str:
        if not select.select([source], [], [], within_s)[0]:
            return ""
        return os.read(source, 1).decode("ascii", "replace") or "q"

    try:
        tty.setcbreak(source)
        sys.stdout.write(_ENTER)
        yield show, key
    except KeyboardInterrupt:
        pass
    finally:
        termios.tcsetattr(source, termios.TCSADRAIN, before)
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
