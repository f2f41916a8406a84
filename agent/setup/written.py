"""A configuration as the commented file that `seiren agent init` writes (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from config.mosquitto import acl_text
from core.delivery.access import access_of_agent, agent_user

_PLAIN: Final = re.compile(r"[A-Za-z/][A-Za-z0-9_./:-]*|\d+\.\d+\.\d+\.\d+|\d+(\.\d+)?/\d+(\.\d+)?")
_WORDS: Final = ("true", "false", "null", "no", "yes", "on", "off")
_COMMENT_AT: Final = 40
_OF_TLS: Final = {
    "ca": "the authority that signed the broker's",
    "certificate": "this computer's own, from that authority",
    "key": "its key: chmod 600, never sent to anybody",
}


def written(data: Mapping[str, Any], file: str) -> str:
    """Return the text of a configuration.

    Parameters
    ----------
    data
        As `agent.setup.interview` returns it.
    file
        How the file will be called, for the commands in it.
    """
    return "\n".join(_lines(data, file)) + "\n"


def next_commands(data: Mapping[str, Any], file: str) -> tuple[str, ...]:
    """Return what is to be done with the file, command by command."""
    return (
        f"seiren agent check {file}",
        f"seiren agent probe {data['devices'][0]['id']}"
        + (f" --config {file}" if file != "agent.yaml" else ""),
        f"seiren agent check {file} --connect",
        f"seiren agent run {file}",
    )


def _lines(data: Mapping[str, Any], file: str) -> Iterator[str]:
    yield "# What this agent reads, and where it delivers. Every key: docs/reference.md, agent.yaml."
    yield f"# After a change: seiren agent check {file}, then start the agent again."
    yield _line("agent", data["agent"], "this computer's name, once in the company")
    yield _line("site", data["site"], "as headquarters calls it")
    yield _line("time_zone", data["time_zone"], "half-hours and days are this zone's")
    yield "broker:"
    yield from _broker(data["broker"])
    yield "# A reading is forgotten here only when this ledger holds it."
    yield f"required_ledgers: [{_scalar(data['required_ledgers'][0])}]"
    yield _line("spool", "spool", "folder for readings on their way: a disk that lasts")
    yield _line("metrics_port", 9464, "this machine only, for status and watch; null: off")
    yield "# Counters (energy): each minute, and 2 s before and after each half-hour."
    yield "registers: {every_s: 60, boundary_margin_ms: 2000}"
    yield "# Gauges (power, voltage, ...): for looking at; no energy is booked from them."
    yield "samples: {every_s: 10}"
    if data["gateways"]:
        yield ""
        yield "# What several meters share: a gateway's socket, or a serial line."
        yield "gateways:"
        for name, gateway in data["gateways"].items():
            yield from _gateway(name, gateway)
    yield ""
    yield "devices:"
    for device in data["devices"]:
        yield from _device(device)
    yield ""
    yield "# Next:"
    for command in next_commands(data, file):
        yield f"#   {command}"


def _broker(broker: Mapping[str, Any]) -> Iterator[str]:
    yield _line("  host", broker["host"], "where readings are sent to")
    yield _line("  port", broker["port"])
    if "tls" in broker:
        yield "  tls:"
        for key, value in broker["tls"].items():
            yield _line(f"    {key}", value, _OF_TLS[key])
    if "username" in broker:
        yield _line("  username", broker["username"], "as the broker's rules call this computer")
        yield _line("  password_file", broker["password_file"], "holds it and nothing else; chmod 600")


def access_text(data: Mapping[str, Any], file: str) -> str:
    """Return what the broker must let this computer do, as a part of a Mosquitto's rules.

    Parameters
    ----------
    data
        As `agent.setup.interview` returns it.
    file
        How the configuration is called.
    """
    rule = access_of_agent(data["site"], data["agent"], data["required_ledgers"])
    return acl_text([rule], f"seiren agent init, beside {file}; belongs into the broker's file of rules")


def files_for_broker(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the files that the connection to the broker needs beside the configuration."""
    broker = data["broker"]
    secret = (broker["password_file"],) if "password_file" in broker else ()
    return (*broker.get("tls", {}).values(), *secret)


def for_the_broker(data: Mapping[str, Any], rules: str) -> Iterator[str]:
    """Yield what whoever runs the broker must be told, in lines of at most 80 columns."""
    yield f"{rules} says what the broker must let this computer do,"
    yield f"which it knows as {agent_user(data['site'], data['agent'])}. Whoever runs the broker needs it."
    if files := files_for_broker(data):
        yield f"Put beside the configuration: {', '.join(files)} (docs/security.md)."


def _gateway(name: str, gateway: Mapping[str, Any]) -> Iterator[str]:
    yield f"  {_scalar(name)}:"
    comments = {
        "serial": "by-id: stays when USB is plugged anew",
        "baud": "baud, parity and stop bits as at the meters",
        "framing": "tcp, or rtu if serial frames pass through",
    }
    for key, value in gateway.items():
        yield _line(f"    {key}", value, comments.get(key, ""))
    yield _line("    timeout_s", 3, "deadline of a whole reply [s]")
    yield _line("    gap_ms", 0, "pause between requests [ms]; probe measures it")


def _device(device: Mapping[str, Any]) -> Iterator[str]:
    yield _line("  - id", device["id"], "as on the single-line diagram")
    yield _line("    profile", device["profile"], "what stands in which register")
    if "gateway" in device["modbus"]:
        gateway, unit = device["modbus"]["gateway"], device["modbus"]["unit"]
        yield f"    modbus: {{gateway: {_scalar(gateway)}, unit: {unit}}}"
    else:
        yield "    modbus:"
        for key, value in device["modbus"].items():
            yield _line(f"      {key}", value)
    comments = {
        "ct": "current transformer, from its plate",
        "vt": "voltage transformer, from its plate",
        "side": "primary: the meter multiplies by CT and VT"
        if device.get("side") == "primary"
        else "secondary: headquarters multiplies",
    }
    for key, comment in comments.items():
        if key in device:
            yield _line(f"    {key}", device[key], comment)


def _line(key: str, value: object, comment: str = "") -> str:
    """One key, with its comment in the column of the others."""
    text = f"{key}: {_scalar(value)}"
    return f"{text:<{_COMMENT_AT - 1}} # {comment}" if comment else text


def _scalar(value: object) -> str:
    """A value so that YAML reads the same again."""
    text = str(value)
    if isinstance(value, int) or (_PLAIN.fullmatch(text) and text.lower() not in _WORDS):
        return text
    return json.dumps(text, ensure_ascii=False)
