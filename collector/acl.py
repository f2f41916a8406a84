"""`seiren collector acl`: what the broker has to know, so that everybody can do no more than they must."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from config.hq import HqConfig, load_hq
from config.mosquitto import ACL, CA, CERTIFICATE, CONF, KEY, PASSWORDS, acl_text, mosquitto_conf
from core.delivery.access import Access, access_of_agent, access_of_collector
from core.errors import OutsideError, UsageError, WireError


class IdentityBy(StrEnum):
    """By what clients show who they are."""

    CERTIFICATE = "certificate"
    PASSWORD = "password"


def acl(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The ledger's folder, with its hq.yaml.")
    ] = Path("demo-out"),
    agents: Annotated[
        str, typer.Option(metavar="SITE/AGENT,...", help="All agents that may deliver, and nobody else.")
    ] = "",
    ledgers: Annotated[
        str, typer.Option(metavar="NAME,...", help="All ledgers of this broker. Default: the folder's.")
    ] = "",
    identity: Annotated[
        IdentityBy, typer.Option(help="By what clients show who they are.")
    ] = IdentityBy.CERTIFICATE,
    out: Annotated[
        Path | None, typer.Option(help="Write mosquitto.conf and acl here. Default: show the acl.")
    ] = None,
    at: Annotated[
        str, typer.Option(metavar="PATH", help="What that folder is called at the broker. Default: as here.")
    ] = "",
) -> None:
    """Make the broker's configuration and access rules.

    An agent may publish on its own topics only, and only a ledger's collector may acknowledge.
    """
    hq = load_hq(folder)
    rules = rules_of(hq, agents=_agents(agents), ledgers=_names(ledgers))
    made_by = f"seiren collector acl {folder} --agents {agents}" + (
        f" --ledgers {ledgers}" if ledgers else ""
    )
    text = acl_text(rules, made_by)
    if out is None:
        typer.echo(text, nl=False)
        return
    place = PurePosixPath(at or out.resolve().as_posix())
    conf = mosquitto_conf(place, identity=identity.value)
    written = _write(out, {CONF: conf, ACL: text})
    for line in (*_told(out, written), *_next(place, rules, identity)):
        typer.echo(line)


def rules_of(hq: HqConfig, *, agents: Sequence[tuple[str, str]], ledgers: Sequence[str] = ()) -> list[Access]:
    """Return who may do what at the broker of a ledger.

    Parameters
    ----------
    hq
        What headquarters has on record; its sites are those that agents may be of.
    agents
        Site and name of each agent.
    ledgers
        Names of all ledgers at this broker; empty: the one on record.

    Raises
    ------
    UsageError
        If an agent's site is not on record, or a name cannot be one.
    """
    sites = [site.id for site in hq.sites]
    names = list(dict.fromkeys(ledgers or (hq.ledger.name,)))
    for site, agent in agents:
        if site not in sites:
            raise UsageError(
                "There is no such site.",
                where="--agents",
                evidence=f"{site}/{agent}; on record: {', '.join(sites)}",
                next="name agents as SITE/AGENT, or add the site to hq.yaml",
            )
    try:
        collectors = [
            access_of_collector(name, (hq.sites_served or ()) if name == hq.ledger.name else ())
            for name in names
        ]
        return [*collectors, *(access_of_agent(site, agent, names) for site, agent in dict.fromkeys(agents))]
    except WireError as error:
        raise UsageError(f"{error.what}.", evidence=error.evidence, cause=error.cause) from None


def _agents(text: str) -> list[tuple[str, str]]:
    found = [tuple(name.split("/")) for name in _names(text)]
    wrong = next((parts for parts in found if len(parts) != 2), None)
    if wrong is not None or not found:
        raise UsageError(
            "Which agents may deliver?",
            where="--agents",
            evidence="/".join(wrong) if wrong else "none is named",
            cause="whoever is not named here is kept out",
            next="--agents SITE/AGENT,SITE/AGENT, as in their agent.yaml",
        )
    return [(parts[0], parts[1]) for parts in found]


def _names(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]


def _write(out: Path, files: dict[str, str]) -> list[str]:
    """Write the files, and return the names of those that were written.

    A configuration that is there stays, for somebody may have added to it. The rules keep their file's owner
    and mode.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = []
        for name, text in files.items():
            path = out / name
            if not path.exists() or name != CONF:
                path.write_text(text, encoding="utf-8")
                written.append(name)
        return written
    except OSError as error:
        raise OutsideError(
            "The broker's files cannot be written.", where=str(out), evidence=error.strerror or str(error)
        ) from None


def _told(out: Path, written: Sequence[str]) -> Iterator[str]:
    if CONF in written:
        yield f"{out / CONF} and {out / ACL} are written."
    else:
        yield f"{out / ACL} is written; {CONF} was there, and is left as it is."


def _next(place: PurePosixPath, rules: Iterable[Access], identity: IdentityBy) -> Iterator[str]:
    yield f"The broker wants beside them, as {place}/..."
    yield f"  {CA:<12} the authority that signs the certificates"
    yield f"  {CERTIFICATE:<12} its own certificate, for the name that clients call it by"
    yield f"  {KEY:<12} and its key, readable for the broker alone"
    if identity is IdentityBy.PASSWORD:
        yield f"  {PASSWORDS:<12} a password for each of these names: mosquitto_passwd"
    else:
        yield "Each client wants a certificate whose common name is one of these:"
    for rule in rules:
        yield f"  {rule.user}"
    yield f"All are the broker's own: chown -R mosquitto {place}"
    yield "How to make them: docs/security.md"
