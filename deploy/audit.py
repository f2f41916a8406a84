"""Ask for known vulnerabilities of everything in lock/dev.txt, which holds all layers.

Exit codes: 0 none is known, or nobody could be asked, which is said; 1 some are known.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parents[1] / "lock/dev.txt"
WITHIN_S = 300


def main() -> int:
    """Ask, and say what was found."""
    program = Path(sysconfig.get_path("scripts")) / "pip-audit"
    command = [program, "--disable-pip", "--require-hashes", "--requirement", LOCK, "--format", "json"]
    try:
        done = subprocess.run(
            [*map(str, command), "--progress-spinner", "off"],
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        found = json.loads(done.stdout)["dependencies"]
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        say(f"NOT AUDITED  pip-audit could not ask: {type(error).__name__}")
        return 0
    return report(found)


def report(found: list[dict[str, Any]]) -> int:
    """Say what is known of each package; return the exit code."""
    skipped = [each for each in found if "skip_reason" in each]
    known = [each for each in found if each.get("vulns")]
    for each in known:
        for one in each["vulns"]:
            fixed = ", ".join(one["fix_versions"]) or "no version yet"
            say(f"VULNERABLE   {each['name']} {each['version']}  {one['id']}  mended in {fixed}")
    asked = len(found) - len(skipped)
    if not asked:
        say("NOT AUDITED  the package registry tells nothing of vulnerabilities here; run it where it does")
    else:
        say(f"audited      {asked} of {len(found)} packages, {len(known)} with a known vulnerability")
        for each in skipped:
            say(f"not asked    {each['name']}: {each['skip_reason']}")
    return 1 if known else 0


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
