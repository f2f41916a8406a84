"""Secrets that stand in files of their own."""

from __future__ import annotations

from pathlib import Path

from core.errors import OutsideError


def secret_in(path: Path) -> str:
    """Return what a secret's file holds now, without the line's end.

    Raises
    ------
    OutsideError
        If the file cannot be read, is no text or is empty; `evidence` says which.
    """
    try:
        secret = path.read_text(encoding="utf-8").strip("\r\n")
    except UnicodeDecodeError:
        raise _unusable(path, "it is no UTF-8 text") from None
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from None
    if not secret:
        raise _unusable(path, "the file is empty")
    return secret


def _unusable(path: Path, evidence: str) -> OutsideError:
    return OutsideError("a secret cannot be read", where=str(path), evidence=evidence, next=f"ls -l {path}")
