"""Which line of which file a mistake stands on."""

from __future__ import annotations

from pathlib import Path

from config.agent import Device
from config.reading import Lines, read_yaml
from config.strict import Loc


class Places:
    """Where the keys of a device stand.

    Parameters
    ----------
    path
        The agent's configuration, which has been loaded without an error.
    device
        One of its devices.
    """

    def __init__(self, path: Path, device: Device) -> None:
        data, self._lines = read_yaml(path)
        ids = [each.get("id") for each in data["devices"]]
        self._device = ("devices", ids.index(device.id))
        own = device.profile is not None and device.profile.endswith((".yaml", ".yml"))
        self._profile: Lines | None = read_yaml(Path(device.profile))[1] if own and device.profile else None
        self._profile_id = device.profile or ""

    @property
    def shipped(self) -> bool:
        """Whether the profile came with Seiren."""
        return self._profile is None

    def __call__(self, file: str, loc: Loc) -> str:
        """Return file and line of a key, or of what it would stand in."""
        if file == "agent":
            return f"{self._lines.path.name} line {self._lines.line((*self._device, *loc))}"
        if self._profile is None:
            return f"{self._profile_id}.yaml"
        return f"{self._profile.path.name} line {self._profile.line(loc)}"
