"""`seiren agent init`: from questions to a commented configuration."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.setup.findings import block, find_in_agent, find_in_profile
from agent.setup.interview import Known, interview
from agent.setup.questions import Interview, Question, Say
from agent.setup.written import access_text, files_for_broker, for_the_broker, next_commands, written
from config.loading import load_profile, profile_ids
from config.strict import Problem
from core.errors import ConfigError, UsageError

_SERIAL = Path("/dev/serial/by-id")


def init(
    out: Annotated[Path, typer.Option("--out", help="The file to write; it must not exist.")] = Path(
        "agent.yaml"
    ),
) -> None:
    """Ask for the site and its meters, and write a commented configuration.

    Answers may be piped in, one a line. An existing file is never overwritten; Ctrl-C writes nothing.
    """
    rules = out.with_suffix(".acl")
    for file in (out, rules):
        if file.exists():
            raise _exists(file)
    questions = interview(
        _shipped(),
        lines=_serial_lines(),
        folder=out.parent,
        own_profile=lambda path: _own(path, out.parent),
    )
    try:
        data = _ask_all(questions)
    except KeyboardInterrupt:
        typer.echo("\nnothing was written")
        raise typer.Exit(130) from None
    _write(out, written(data, str(out)))
    _write(rules, access_text(data, out.name))
    awaited = files_for_broker(data)
    for warning in find_in_agent(out).warnings:
        if not any(warning.evidence == str(out.parent / name) for name in awaited):
            typer.echo("")
            for line in block("note", warning):
                typer.echo(line)
    typer.echo("")
    for line in for_the_broker(data, rules.name):
        typer.echo(line)
    typer.echo(f"\n{out} is written. Next:")
    for command in next_commands(data, str(out)):
        typer.echo(f"  {command}")


def _ask_all(questions: Interview) -> dict[str, Any]:
    """Put the questions to whoever sits at the terminal; an answer that is wrong is asked for again."""
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    step = next(questions)
    while True:
        try:
            if isinstance(step, Question):
                step = questions.send(_answer(step))
                continue
            for line in (step.text,) if isinstance(step, Say) else block("ERROR", _told(step)):
                typer.echo(line.encode("ascii", "replace").decode())
            step = next(questions)
        except StopIteration as end:
            data: dict[str, Any] = end.value
            return data


def _answer(question: Question) -> str:
    """Ask until the answer is good."""
    while True:
        default = f" [{question.default}]" if question.default is not None else ""
        typer.echo(f"{question.text}{default}: ", nl=False)
        line = sys.stdin.readline()
        if not line:
            typer.echo("")
            raise UsageError(
                "The answers end before the questions: nothing was written.",
                evidence=f"asked for: {question.text.strip()}",
                next="answer all questions, one a line",
            )
        if not sys.stdin.isatty():
            typer.echo(line.rstrip("\n"))
        answer = line.strip() or question.default or ""
        problem = question.judge(answer) if answer else Problem((), "This has to be answered.")
        if problem is None:
            return answer
        for told in block("ERROR", _told(problem)):
            typer.echo(told)


def _told(problem: Problem) -> ConfigError:
    return ConfigError(problem.what, evidence=problem.evidence, cause=problem.cause, next=problem.next)


def _shipped() -> list[Known]:
    profiles = map(load_profile, profile_ids())
    return [Known(profile.id, profile.vendor, profile.product) for profile in profiles]


def _serial_lines() -> list[str]:
    return sorted(map(str, _SERIAL.iterdir())) if _SERIAL.is_dir() else []


def _own(path: str, folder: Path) -> Problem | None:
    found = find_in_profile(folder / path)
    if found.document is not None:
        return None
    first = found.problems[0]
    return Problem((), first.what, f"{first.where} {first.evidence}".strip(), first.cause, first.next)


def _write(out: Path, text: str) -> None:
    """Write a file that does not exist, whole or not at all."""
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise _exists(out) from None
    except OSError as error:
        raise UsageError(
            "The file cannot be written.",
            where=str(out),
            evidence=error.strerror or str(error),
            next=f"ls -ld {out.parent}, or another place: seiren agent init --out FILE",
        ) from None


def _exists(out: Path) -> UsageError:
    return UsageError(
        "The file exists already, and is not overwritten.",
        where=str(out),
        next="move it away, or write another one: seiren agent init --out FILE",
    )
