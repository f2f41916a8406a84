"""Secrets that stand in files of their own."""

from __future__ import annotations

from pathlib import Path

from core.errors import ConfigError


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
        If the file cannot be read or is empty.
    """
    try:
        secret = path.read_text(encoding="utf-8").strip("\r\n")
    except OSError as error:
        raise ConfigError(
            f"{what} cannot be read",
            where=str(path),
            evidence=error.strerror or str(error),
            next=f"ls -l {path}",
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{what} cannot be read", where=str(path), evidence="it is no UTF-8 text") from None
    if not secret:
        raise ConfigError(f"{what} is missing", where=str(path), evidence="the file is empty")
    return secret
