"""The monitoring plan: what hq.yaml says about what is measured and reported, in one canonical form.

Order, spelling of numbers and defaults make no difference, and what a profile says of a count is written
out: the plan needs no other file, and a release does not change it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from config.network import NetworkMeter
from config.profile import load_profile
from core.carbon.rounding import exact_text
from core.chain import canonical
from core.metering.quantities import Quantity

if TYPE_CHECKING:
    from config.hq import HqConfig

SCHEMA: Final = "seiren.plan/1"
_KEYS: Final = frozenset(
    {"company", "synthetic", "electricity_factor", "sites", "products", "targets", "roles"}
)


def plan_document(hq: HqConfig) -> dict[str, Any]:
    """Return the plan as plain data: texts, whole numbers, lists and mappings.

    Sites and meters stand by id, installations by time; what is left at its default is left out.

    Raises
    ------
    ConfigError
        If a profile is unknown or does not hold a meter's quantity.
    """
    kept = hq.model_dump(mode="json", include=set(_KEYS), exclude_defaults=True, by_alias=True)
    records = {site.id: site for site in hq.sites}
    for site in kept["sites"]:
        site["boundary"] = sorted(site["boundary"])
        meters = {meter.id: meter for meter in records[site["id"]].meters}
        for meter in site["meters"]:
            _write_out(meter, meters[meter["id"]])
        for key in ("meters", "virtual"):
            if key in site:
                site[key] = sorted(site[key], key=lambda each: str(each["id"]))
        for each in site.get("virtual", ()):
            for key in ("plus", "minus"):
                if key in each:
                    each[key] = sorted(each[key])
        if "exclusions" in site:
            site["exclusions"] = sorted(site["exclusions"], key=lambda each: str(each["what"]))
    kept["sites"] = sorted(kept["sites"], key=lambda each: str(each["id"]))
    for person, roles in kept.get("roles", {}).items():
        kept["roles"][person] = sorted(set(roles))
    return {"schema": SCHEMA, **kept}


def plan_digest(document: Mapping[str, Any]) -> str:
    """Return what names a plan: the SHA-256 of its canonical JSON, hexadecimal."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def _write_out(meter: dict[str, Any], record: NetworkMeter) -> None:
    """Put what a count is worth, its step and its turn beside each installation's profile."""
    quantity: Quantity = record.counted
    for facts, installation in zip(meter.get("installations", ()), record.installations, strict=True):
        worth, resolution, wrap_at = installation.count_worth(quantity)
        facts["wh_per_count"] = exact_text(worth)
        facts["resolution"] = exact_text(resolution)
        if wrap_at is not None:
            facts["wrap_at"] = wrap_at
        if "profile" in facts:
            facts["profile"] = load_profile(str(facts["profile"])).id
