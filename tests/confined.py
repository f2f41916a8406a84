"""Runs a command as a unit of systemd would let it: no writable code, and only the unit's system calls.

python tests/confined.py UNIT COMMAND [ARGUMENT ...]
"""

from __future__ import annotations

import ctypes
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

NUMBERS: Final = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")

_NO_NEW_PRIVILEGES, _SECCOMP, _MDWE = 38, 22, 65  # of prctl(2)
_X86_64: Final = 0xC000003E
_ALLOW, _EPERM = 0x7FFF0000, 0x00050000 | 1
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06


def allowed(unit: Path) -> frozenset[str]:
    """Return the system calls that a unit's filters let through, in the order of its lines."""
    found: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit.read_text(encoding="utf-8"), re.M):
        names = {name for word in line.lstrip("~").split() for name in _expanded(word)}
        found = found - names if line.startswith("~") else found | names
    return frozenset(found)


def _expanded(word: str) -> Iterator[str]:
    if not word.startswith("@"):
        yield word
        return
    told = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", word], capture_output=True, text=True, check=True
    ).stdout
    for line in told.splitlines()[1:]:
        if (name := line.strip()) and not name.startswith("#"):
            yield from _expanded(name)


def program(names: frozenset[str]) -> bytes:
    """Return the kernel's filter for these system calls; others fail with EPERM."""
    numbers = dict(re.findall(r"#define __NR_(\w+) (\d+)", NUMBERS.read_text(encoding="ascii")))
    steps = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, _X86_64), (_RETURN, 0, 0, _EPERM), (_LOAD, 0, 0, 0)]
    for name in sorted(names & numbers.keys()):
        steps += [(_EQUAL, 0, 1, int(numbers[name])), (_RETURN, 0, 0, _ALLOW)]
    steps.append((_RETURN, 0, 0, _EPERM))
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def confine(unit: Path) -> None:
    """Give up what a unit does not have, for ever."""
    names = allowed(unit)  # before: to ask takes a process
    steps = program(names)
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(steps, len(steps))
    head = struct.pack("HxxxxxxP", len(steps) // 8, ctypes.addressof(buffer))
    for what, *arguments in (
        (_NO_NEW_PRIVILEGES, 1, 0, 0, 0),
        (_MDWE, 1, 0, 0, 0),
        (_SECCOMP, 2, ctypes.create_string_buffer(head, len(head)), 0, 0),
    ):
        if libc.prctl(what, *arguments):
            raise OSError(ctypes.get_errno(), f"prctl {what}")


if __name__ == "__main__":
    confine(Path(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
