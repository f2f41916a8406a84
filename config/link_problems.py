"""What is wrong with the settings of one bus although each of them is well formed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from config.links import Gateway
from config.strict import Loc, Problem

BAUD_RATES: Final = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 76800, 115200, 230400)
_STABLE_LINE: Final = re.compile(r"/dev/serial/by-(id|path)/|/dev/tty(S|AMA|SC|mxc)\d|COM\d")
_NOT_ON_A_LINE: Final = {
    "port": "A serial line has no TCP port.",
    "tls": "A serial line has no TLS.",
    "framing": "A serial line speaks RTU framing only.",
    "connections": "A serial line is one connection.",
}


def gateway_problems(gateway: Gateway, loc: Loc) -> Iterator[Problem]:
    """Yield settings that contradict each other; `loc` is where they stand."""
    given = gateway.model_fields_set
    if not gateway.is_placed:
        yield Problem(
            (*loc, "serial") if gateway.serial is not None else loc,
            "A bus is either a socket (host) or a serial line (serial).",
            evidence="both" if gateway.serial is not None else "neither",
            next="remove one of the two" if gateway.serial is not None else "add host, or serial",
        )
    elif gateway.serial is not None:
        yield from _line_problems(gateway, loc, given)
    else:
        for key in (key for key in ("baud", "parity", "stop_bits") if key in given):
            yield Problem(
                (*loc, key),
                f"{key} is a setting of a serial line, and this is a socket.",
                evidence=f"{gateway.host}, {key} {getattr(gateway, key)}",
                cause="the serial side of a gateway is set in the gateway itself",
                next=f"remove {key} here, and set it in the gateway",
            )
    if gateway.tls is not None and gateway.wire == "rtu" and gateway.serial is None:
        yield Problem(
            (*loc, "framing"),
            "TLS carries TCP framing only.",
            evidence="tls with framing rtu",
            cause="Modbus/TCP Security knows no RTU frames",
            next="remove framing, or tls",
        )
    if gateway.tls is not None:
        yield from gateway.tls.problems_at((*loc, "tls"))
    if gateway.gap_ms >= gateway.timeout_s * 1000:
        yield Problem(
            (*loc, "gap_ms"),
            "The pause between requests is as long as the deadline of a reply.",
            evidence=f"gap_ms {gateway.gap_ms}, timeout_s {gateway.timeout_s:g}",
            cause="gap_ms is in milliseconds, timeout_s in seconds",
            next="a gateway that needs a pause needs 10 to 200 ms",
        )


def _line_problems(gateway: Gateway, loc: Loc, given: set[str]) -> Iterator[Problem]:
    """What a serial line cannot have."""
    wrong = {
        "port": "port" in given,
        "tls": gateway.tls is not None,
        "framing": gateway.framing == "tcp",
        "connections": gateway.connections > 1,
    }
    for key in (key for key, is_wrong in wrong.items() if is_wrong):
        yield Problem(
            (*loc, key),
            _NOT_ON_A_LINE[key],
            evidence=f"serial {gateway.serial}",
            next=f"remove {key}",
        )
    assert gateway.serial is not None
    if not gateway.serial.startswith(("/", "COM")):
        yield Problem(
            (*loc, "serial"),
            "This is no path of a serial line.",
            evidence=gateway.serial,
            next="ls -l /dev/serial/by-id/   and write the whole path",
        )
    if gateway.baud not in BAUD_RATES:
        yield Problem(
            (*loc, "baud"),
            "This is no baud rate that meters have.",
            evidence=str(gateway.baud),
            cause=f"did you mean {min(BAUD_RATES, key=lambda rate: abs(rate - gateway.baud))}?",
            next=f"one of {', '.join(map(str, BAUD_RATES))}",
        )
    if gateway.stop_bits == 2 and gateway.parity != "none":
        yield Problem(
            (*loc, "stop_bits"),
            "Two stop bits go with parity none only.",
            evidence=f"stop_bits 2, parity {gateway.parity}",
            cause="a character has 11 bits: start, 8 data, and parity with one stop bit or two stop bits",
            next="stop_bits: 1, or parity: none; as at the meter",
        )


def gateway_warnings(gateway: Gateway, loc: Loc) -> Iterator[Problem]:
    """Yield what works today and breaks tomorrow; `loc` is where it stands."""
    if gateway.serial is not None and not _STABLE_LINE.match(gateway.serial):
        yield Problem(
            (*loc, "serial"),
            "This name of a serial line may be another one's after the next start.",
            evidence=gateway.serial,
            cause="USB adapters are numbered in the order in which they are found",
            next="ls -l /dev/serial/by-id/   and write that path",
        )
