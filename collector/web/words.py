"""Names for the closed lists that statements are written in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collector.web.language import Language


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for "translate later"
    """Mark a word for the catalogue; it is translated where it is shown."""
    return message


_ORIGINS = {
    "measured": N_("measured"),
    "interpolated": N_("interpolated"),
    "billed": N_("billed"),
    "manual": N_("entered by hand"),
    "substituted": N_("substituted"),
    "integrated": N_("integrated from power"),
    "missing": N_("missing"),
}
_METHODS = {
    "exact": N_("equal readings on both sides"),
    "interpolated": N_("interpolated (floor)"),
    "manual": N_("entered by hand"),
    "substituted": N_("substituted"),
    "missing": N_("no reading"),
}
_STATUSES = {"provisional": N_("Provisional"), "final": N_("Final")}
_ACTIVITIES = {"open": N_("open"), "submitted": N_("submitted"), "closed": N_("closed")}
_LANES = {"registers": N_("registers"), "samples": N_("samples")}
_REASONS = {
    "damaged": N_("damaged on the agent's disk"),
    "disk_full": N_("the agent's disk was full"),
    "trimmed": N_("forgotten by the agent after an earlier acknowledgement"),
    "refused": N_("refused as unreadable"),
}


def origin_name(origin: str, language: Language) -> str:
    """Name where an interval's value comes from."""
    return language.gettext(_ORIGINS.get(origin, origin))


def method_name(boundary: Mapping[str, Any], language: Language) -> str:
    """Name how a boundary reading was found."""
    before = boundary["before"]
    if before is not None and before["time_ms"] == boundary["time_ms"]:
        return language.gettext("a reading at the boundary itself")
    return language.gettext(_METHODS.get(boundary["method"], boundary["method"]))


def status_name(status: str, language: Language) -> str:
    """Name the status of a month or of a factor."""
    return language.gettext(_STATUSES.get(status, status))


def activity_name(status: str, language: Language) -> str:
    """Name the status of a month's activity."""
    return language.gettext(_ACTIVITIES.get(status, status))


def lane_name(lane: str, language: Language) -> str:
    """Name a lane of delivery."""
    return language.gettext(_LANES.get(lane, lane))


def reason_name(reason: str, language: Language) -> str:
    """Name why readings were lost."""
    return language.gettext(_REASONS.get(reason, reason))
