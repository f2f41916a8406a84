"""Errors as people read them: what, where, evidence, likely cause, next command.

::

    SeirenError
    ├── UsageError          wrong use                               exit 2
    │   └── ConfigError     a file that is wrong: file, line, key   exit 2
    ├── DataError           input data that cannot be used          exit 2
    │   ├── FactorError     no usable emission factor
    │   └── WireError       a message or frame that breaks the protocol
    ├── AnswerIsNo          a check failed, a difference was found  exit 1
    └── OutsideError        network, disk or broker failed          exit 3
        └── Unreachable     may answer later: worth a retry
"""

from __future__ import annotations

from typing import ClassVar, Final

_CONTROL: Final = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for code in (
        *range(32),
        *range(127, 160),
        *(0x200E, 0x200F, 0x2028, 0x2029),  # marks of direction; ends of lines and paragraphs
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        *range(0xD800, 0xE000),  # halves of a pair, which no encoding takes
    )
}


def printable(text: str) -> str:
    """Return text from elsewhere as a terminal or a log may have it: control characters are shown.

    Examples
    --------
    >>> print(printable("one\\ntwo \\x1b[2J 青葉"))
    one\\x0atwo \\x1b[2J 青葉
    """
    return text.translate(_CONTROL)


class SeirenError(Exception):
    """Base of all errors that are shown to people.

    Parameters
    ----------
    what
        One sentence: what is wrong.
    where
        File and line, device and register, URL or topic; empty when there is none.
    evidence
        What was seen: the text, the bytes, the reply.
    cause
        The likely cause, in plain words.
    next
        The next command or step.
    """

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(
        self, what: str, *, where: str = "", evidence: str = "", cause: str = "", next: str = ""
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.evidence = evidence
        self.cause = cause
        self.next = next

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what

    def render(self) -> str:
        """Return the error as aligned lines, without a trailing newline."""
        rows = (
            ("ERROR", self.what),
            ("where", self.where),
            ("seen", self.evidence),
            ("cause", self.cause),
            ("next", self.next),
        )
        return "\n".join(f"{label:<6}{printable(text)}" for label, text in rows if text)


class UsageError(SeirenError):
    """The command or its arguments are wrong."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration or data file is wrong; `where` is ``file:line: key``."""


class DataError(SeirenError):
    """Input data cannot be used."""

    exit_code = 2


class FactorError(DataError):
    """No emission factor may be used for an activity; a figure stops here, it never counts as zero."""


class WireError(DataError):
    """A message or frame breaks the delivery protocol."""


class AnswerIsNo(SeirenError):
    """The question was answered, and the answer is no."""

    exit_code = 1


class OutsideError(SeirenError):
    """Something outside Seiren failed: network, disk, broker, database."""

    exit_code = 3


class Unreachable(OutsideError):
    """A peer does not answer now and may answer later; `retry_after_s`: how long it asks to be left alone."""

    retryable = True
    retry_after_s: float = 0.0
