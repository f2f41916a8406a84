"""An InfluxDB 2 of the demo's own, for `--store influxdb` without an address."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from core.errors import OutsideError
from simulators.folder import InfluxAccess

CACHED = "seiren/influxd-2.7.12/influxd"  # where `make influxd` puts it, below the user's cache folder
ORG, BUCKET = "seiren", "readings"


def influxd_command(folder: Path, *, port: int) -> list[str]:
    """Return the command that starts an InfluxDB on a loopback port with its data in a folder.

    Raises
    ------
    OutsideError
        If there is no influxd in the cache or on the PATH.
    """
    cached = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / CACHED
    program = str(cached) if cached.exists() else shutil.which("influxd")
    if program is None:
        raise OutsideError(
            "There is no InfluxDB 2 to store in",
            evidence=f"no {cached}, and no influxd on the PATH",
            next="make influxd, or give --influx-url, --influx-org, --influx-bucket and --influx-token-file",
        )
    return [
        program,
        f"--bolt-path={folder / 'influxd.bolt'}",
        f"--engine-path={folder / 'engine'}",
        f"--sqlite-path={folder / 'influxd.sqlite'}",
        f"--http-bind-address=127.0.0.1:{port}",
        "--reporting-disabled",
    ]


def set_up(url: str) -> InfluxAccess:
    """Make the first user, organisation and bucket of a fresh InfluxDB, and return how to reach it.

    Raises
    ------
    OutsideError
        If it refuses, which an InfluxDB that is not fresh does, or is another program.
    """
    access = InfluxAccess(url=url, org=ORG, bucket=BUCKET, token=secrets.token_urlsafe(32))
    body = {
        "username": "seiren",
        "password": secrets.token_urlsafe(16),
        "org": access.org,
        "bucket": access.bucket,
        "token": access.token,
    }
    request = urllib.request.Request(
        f"{url}/api/v2/setup",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30):
            return access
    except (urllib.error.URLError, OSError) as error:
        raise OutsideError(
            "The InfluxDB cannot be set up",
            where=url,
            evidence=str(error),
            cause="it is not InfluxDB 2, or was set up before",
            next="see that `influxd version` says 2.7",
        ) from error
