"""When certificates end, and who can read what should be secret."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from core.runtime.findings import Finding, Findings
from core.runtime.tls import TlsFiles
from core.runtime.words import day

DAY_MS: Final = 86_400_000
WARN_MS: Final = 60 * DAY_MS
"""So long before its end a certificate is spoken of [ms]."""

_OTHERS: Final = 0o077


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate: what it is for, and when it ends, or why that is not known.

    Attributes
    ----------
    where
        Its file, or who shows it.
    what
        What people call it.
    ends_ms
        Its end [ms since 1970 UTC]; None: not known.
    problem
        Why that is not known.
    costs
        What follows when it has ended.
    """

    where: str
    what: str
    ends_ms: int | None
    problem: str = ""
    costs: str = ""


def certificates_of(files: TlsFiles, peer: str, costs: str = "") -> tuple[Certificate, ...]:
    """Return the certificates that a connection needs.

    Parameters
    ----------
    files
        Where they are.
    peer
        What people call the other side.
    costs
        What follows when one of them has ended.
    """
    found = [read_certificate(files.ca, f"CA of {peer}", is_ca=True, costs=costs)]
    if files.certificate is not None:
        found.append(read_certificate(files.certificate, f"client certificate for {peer}", costs=costs))
    return tuple(found)


def read_certificate(path: Path, what: str, *, is_ca: bool = False, costs: str = "") -> Certificate:
    """Return when a PEM file ends: a chain with its first certificate, a set of authorities with its last."""
    from cryptography import x509  # slow to import, and only who has certificates needs it

    try:
        parts = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        return Certificate(str(path), what, None, error.strerror or str(error), costs)
    except ValueError:
        return Certificate(str(path), what, None, "no PEM certificate in it", costs)
    ends = (max if is_ca else min)(part.not_valid_after_utc for part in parts)
    return Certificate(str(path), what, int(ends.timestamp() * 1000), costs=costs)


def soon_over(certificates: Iterable[Certificate], now_ms: int) -> tuple[Certificate, ...]:
    """Return the certificates that have ended or will have in 60 days."""
    return tuple(
        each for each in certificates if each.ends_ms is not None and each.ends_ms - now_ms < WARN_MS
    )


def judge(certificates: Iterable[Certificate], now_ms: int, tz: ZoneInfo) -> Findings:
    """Return what a doctor says of certificates."""
    faults, notices, good = [], [], 0
    for one in certificates:
        if one.ends_ms is None:
            faults.append(
                Finding(f"{one.what}: {one.problem}", one.where, do=f"ls -l {one.where}", costs=one.costs)
            )
        elif one.ends_ms <= now_ms:
            faults.append(
                Finding(
                    f"{one.what} ended {day(one.ends_ms, now_ms, tz)}",
                    one.where,
                    do="renew it: it is read anew at the next connection",
                    costs=one.costs,
                )
            )
        elif one.ends_ms - now_ms < WARN_MS:
            left = (one.ends_ms - now_ms) // DAY_MS
            notices.append(
                Finding(f"{one.what} ends {day(one.ends_ms, now_ms, tz)} ({left} days)", one.where)
            )
        else:
            good += 1
    return Findings(faults, notices, ["certificates"] if good else [], [])


def readable_by_others(path: Path) -> str:
    """Return who else can read or write a secret's file, ``mode 0644``; empty: nobody, or it is not there."""
    try:
        mode = path.stat().st_mode & 0o777
    except OSError:
        return ""
    return f"mode {mode:04o}" if mode & _OTHERS else ""
