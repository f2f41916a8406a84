"""Who decides: a person, and the account of the machine under which it is written down."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from dataclasses import dataclass

from core.errors import UsageError, printable

if sys.platform != "win32":
    import pwd

_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Who:
    """Who decides.

    Parameters
    ----------
    person
        The person, as the company names people; the plan's roles are given to such names.
    account
        ``login@host``: what the machine knows, whoever sat there.
    """

    person: str
    account: str


def who(by: str | None) -> Who:
    """Return who decides at this terminal.

    Parameters
    ----------
    by
        The person; None: the login is the person's name.

    Raises
    ------
    UsageError
        The name is empty, too long, or not printable.
    """
    login = _login()
    person = login if by is None else by.strip()
    if not person or len(person) > _LONGEST or printable(person) != person:
        raise UsageError(
            "this is nobody's name",
            where="--by",
            evidence=repr(by)[:_LONGEST],
            next="name the person as the plan's roles do, such as --by reporter-1",
        )
    return Who(person, f"{login}@{socket.gethostname()}")


def _login() -> str:
    """The account's name as the system has it, not as the environment says; its number where it has none."""
    if sys.platform == "win32":
        return getpass.getuser()
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
