"""The certificates and the secrets that headquarters' configuration names, as a doctor looks at them."""

from __future__ import annotations

import re
from pathlib import Path

from config.hq import HqConfig
from config.stores import InfluxOneStore, InfluxStore
from core.runtime.certificates import certificates_of, judge, readable_by_others
from core.runtime.findings import Finding, Findings

_PASSWORD_IN_URL = re.compile(r"[^/]+://[^/@]*:[^/@]+@")
_COSTS = "nothing is received; agents keep what they read"


def look(folder: Path, hq: HqConfig, now_ms: int) -> Findings:
    """Say which certificates end soon, and which secrets others can read.

    Parameters
    ----------
    folder, hq
        The ledger's folder and its configuration.
    now_ms
        Now [ms since 1970 UTC].
    """
    tls = None if hq.broker is None else hq.broker.tls
    certificates = () if tls is None else certificates_of(tls.files, "the broker", _COSTS)
    judged = judge(certificates, now_ms, hq.sites[0].time_zone)
    exposed = [
        Finding(f"others on this machine can read a secret: {path}", mode, do=f"chmod 600 {path}")
        for path in _secrets(folder, hq)
        if (mode := readable_by_others(path))
    ]
    return Findings(judged.faults, (*judged.notices, *exposed), judged.good, ())


def _secrets(folder: Path, hq: HqConfig) -> list[Path]:
    """Files of keys, passwords and tokens."""
    named = [hq.ledger.url_file]
    if hq.ledger.url is not None and _PASSWORD_IN_URL.match(hq.ledger.url):
        named.append(folder / "hq.yaml")
    if hq.broker is not None:
        named += [hq.broker.password_file, None if hq.broker.tls is None else hq.broker.tls.key]
    if isinstance(hq.store, InfluxStore):
        named.append(folder / hq.store.token_file)
    if isinstance(hq.store, InfluxOneStore):
        named.append(hq.store.password_file)
    return [path for path in named if path is not None]
