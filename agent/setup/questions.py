"""What an interview consists of, and how answers are judged (pure)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from config.explaining import explain
from config.strict import Problem

Judge = Callable[[str], Problem | None]
"""What is wrong with an answer, or None."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes
    ----------
    text
        In a few words.
    default
        What an empty answer means; None: it has to be answered.
    judge
        What is wrong with an answer, or None.
    """

    text: str
    default: str | None = None
    judge: Judge = lambda answer: None


@dataclass(frozen=True, slots=True)
class Say:
    """A line that is said between questions."""

    text: str = ""


Step = Question | Say | Problem
Interview = Generator[Step, str, dict[str, Any]]
Part = Generator[Step, str, Any]


def field_of(model: type[BaseModel], key: str) -> Judge:
    """Return the judge of a key whose value is text."""
    return lambda answer: judged(model, key, answer)


def number_of(model: type[BaseModel], key: str) -> Judge:
    """Return the judge of a key whose value is a whole number."""
    return lambda answer: judged(model, key, value_of(answer))


def value_of(answer: str) -> str | int:
    """A whole number where the answer is one."""
    return int(answer) if answer.isascii() and answer.removeprefix("-").isdigit() else answer


def judged(model: type[BaseModel], key: str, value: object) -> Problem | None:
    field = model.model_fields[key]
    adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError as error:
        return explain(error.errors(include_url=False)[0], (), model)
    return None


def one_of(options: Sequence[str], what: str) -> Judge:
    def judge(answer: str) -> Problem | None:
        if answer in options:
            return None
        return Problem((), f"There is no such {what}.", answer, next=f"one of {', '.join(options)}")

    return judge


def either(word: str, judge: Judge) -> Judge:
    return lambda answer: None if answer == word else judge(answer)
