"""What a run must know of the one before, in a file beside the frames: serial numbers, last good counts.

It is written now and then and never synced: without it the first readings after a start are judged as if
the meters had never been seen.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

log = logging.getLogger(__name__)

_NAME: Final = "meters.json"
_BOOT: Final = "/boot"  # no device can be called so
_POLLED: Final = "/polled"


class Memory:
    """The file of a spool's folder.

    Parameters
    ----------
    folder
        The spool's folder.

    Attributes
    ----------
    polled
        The account of the day at hand, as its tally keeps it.
    waits_for_boot
        The run of the machine whose readings still wait for their time, empty where none do.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        self._devices: dict[str, Any] = {}
        self.polled: Mapping[str, object] = {}
        self.waits_for_boot = ""
        try:
            found = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            log.warning(
                "what the last run knew of the meters cannot be read; they count as never seen",
                extra={"where": str(self._path), "seen": str(error)},
            )
            return
        if isinstance(found, dict):
            self.waits_for_boot = str(found.pop(_BOOT, ""))
            polled = found.pop(_POLLED, {})
            self.polled = polled if isinstance(polled, dict) else {}
            self._devices = {id_: each for id_, each in found.items() if isinstance(each, dict)}

    def serial_number(self, device: str) -> str:
        """Return what a device said of itself, empty where that is not known."""
        serial = self._devices.get(device, {}).get("serial_number")
        return serial if isinstance(serial, str) else ""

    def counters(self, device: str) -> Mapping[str, object]:
        """Return what the judgement knew of a device's counters."""
        counters = self._devices.get(device, {}).get("counters")
        return counters if isinstance(counters, dict) else {}

    def keep(self, device: str, serial_number: str, counters: Mapping[str, object]) -> None:
        """Take note of what is known of a device now."""
        self._devices[device] = {"serial_number": serial_number, "counters": counters}

    def save(self) -> None:
        """Write the file; a disk that refuses is the spool's to complain of."""
        fresh = self._path.with_suffix(".new")
        try:
            devices = self._devices | ({_BOOT: self.waits_for_boot} if self.waits_for_boot else {})
            devices |= {_POLLED: self.polled} if self.polled else {}
            fresh.touch(mode=0o600)
            fresh.write_text(json.dumps(devices, separators=(",", ":")), encoding="utf-8")
            fresh.replace(self._path)
        except OSError as error:
            log.warning("the meters' last counts are not kept: %s", error, extra={"where": str(self._path)})
