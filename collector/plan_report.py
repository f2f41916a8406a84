"""The monitoring plan in a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from collector.plans import Adopted
from collector.records import network
from collector.table import Form, as_csv, as_json, as_table
from config.hq import HqConfig, SiteRecord
from config.network import VirtualMeter
from core.carbon.inputs import PlanVersion
from core.carbon.rounding import exact_text
from core.runtime.words import counted
from core.timeline import UTC_ZONE, format_local

_WIDTH = 80
_SHORT = 16


def check_lines(hq: HqConfig, notes: Sequence[str]) -> Iterator[str]:
    """Yield a plan that is good, as a tree of its meters, with what is hardly meant."""
    meters = sum(len(site.named) for site in hq.sites)
    yield f"{hq.company.en}: {counted(len(hq.sites), 'site')}, {counted(meters, 'meter')}"
    for site in hq.sites:
        area = f", grid area {site.grid_area}" if site.grid_area else ""
        yield ""
        yield f"{site.id}  {site.name.en}, {site.time_zone.key}{area}"
        yield from _tree(site)
        for name, source in sorted(site.sources.items()):
            yield f" source of {name}: {source}"
        for each in site.exclusions:
            yield from _wrapped(f" left out: {each.what}, because {each.reason}")
    yield ""
    for note in notes:
        yield from _wrapped(f"note  {note}")
    yield "YES   no energy counts twice"


def _tree(site: SiteRecord) -> Iterator[str]:
    found = network(site)
    by_id = {meter.id: meter for meter in site.named}
    fed: dict[str | None, list[str]] = {}
    for node in found.nodes:
        fed.setdefault(node.parent, []).append(node.meter)

    def below(parent: str | None, depth: int) -> Iterator[str]:
        for meter in dict.fromkeys(fed.get(parent, ())):
            record = by_id[meter]
            facts = found.role(meter).value
            if isinstance(record, VirtualMeter):
                facts += f", {_sum(record)}"
            yield from _wrapped(f"{'  ' * depth} {meter}  {record.name.en}: {facts}")
            yield from below(meter, depth + 1)

    yield from below(None, 0)


def meter_rows(hq: HqConfig) -> list[dict[str, object]]:
    """Return one row for each meter of the plan."""
    return [
        {
            "site": site.id,
            "meter": meter.id,
            "parent": meter.parent,
            "role": network(site).role(meter.id).value,
            "sum": _sum(meter) if isinstance(meter, VirtualMeter) else None,
            "source": site.source(meter.id),
        }
        for site in hq.sites
        for meter in site.named
    ]


def list_report(known: Sequence[Adopted], cited: PlanVersion, form: Form) -> str:
    """Return the versions of a plan, and which one the file is."""
    rows: list[dict[str, object]] = [
        {
            "version": each.version,
            "adopted": format_local(each.decision.time_ms, UTC_ZONE)[:19],
            "by": each.decision.person,
            "digest": each.digest,
            "reason": each.decision.reason,
        }
        for each in known
    ]
    if form is Form.JSON:
        return as_json({"versions": rows, "file": {"version": cited.version, "digest": cited.digest}})
    if form is Form.CSV:
        return as_csv(rows)
    cells = [
        (str(row["version"]), str(row["adopted"]), str(row["by"]), str(row["digest"])[:_SHORT], row["reason"])
        for row in rows
    ]
    header = ("version", "adopted (UTC)", "by", "digest", "reason")
    table = as_table(header, [tuple(map(str, row)) for row in cells], left=len(header))
    file = f"version {cited.version}" if cited.version is not None else "not adopted"
    return f"{table}\n the file is {file}, digest {cited.digest[:_SHORT]}"


def diff_report(title: str, found: Sequence[str], form: Form) -> str:
    """Return what differs between two plans."""
    if form is Form.JSON:
        return as_json({"between": title, "differences": list(found)})
    if form is Form.CSV:
        return as_csv([{"difference": each} for each in found])
    lines = [title, *(line for each in found for line in _wrapped(f" {each}"))]
    return "\n".join(lines if found else [*lines, " the same"])


def _sum(meter: VirtualMeter) -> str:
    told = " ".join([" + ".join(meter.plus), *(f"- {each}" for each in meter.minus)])
    return f"{told} + {exact_text(meter.losses_percent)} %" if meter.losses_percent else told


def _wrapped(text: str) -> list[str]:
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    return textwrap.wrap(
        text, _WIDTH, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )
