"""Secrets that a configuration names by their files."""

from __future__ import annotations

from pathlib import Path

from core.errors import ConfigError, OutsideError
from core.runtime.secrets import secret_in


def read_secret(path: Path, what: str) -> str:
    """Return what a secret's file holds, without the line's end.

    Parameters
    ----------
    path
        The file.
    what
        What people call the secret, ``the broker's password``.

    Raises
    ------
    ConfigError
        If the file cannot be read, is no text or is empty.
    """
    try:
        return secret_in(path)
    except OutsideError as error:
        raise ConfigError(
            f"{what} cannot be read", where=error.where, evidence=error.evidence, next=error.next
        ) from None
