"""The questions of `seiren agent init` (pure): answers go in, a configuration comes out.

An interview is a generator: it yields questions, lines to say and problems to tell, and is sent the answer
to a question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from agent.setup.questions import (
    Interview,
    Judge,
    Part,
    Question,
    Say,
    either,
    field_of,
    judged,
    number_of,
    one_of,
    value_of,
)
from config.agent import AgentConfig, Device, Gateway, Modbus
from config.broker import HERE, Broker
from config.link_problems import gateway_problems
from config.profile import with_profile_paths
from config.strict import Problem
from core.delivery.access import agent_user

_DONE: Final = "no more meters"
_WAYS: Final = ("ip", "gateway", "line")
_SECURED: Final = ("certificate", "password", "nothing")


class Known(NamedTuple):
    """A shipped profile."""

    id: str
    vendor: str
    product: str


def interview(
    profiles: Sequence[Known],
    *,
    lines: Sequence[str] = (),
    folder: Path = Path(),
    own_profile: Judge = lambda path: None,
) -> Interview:
    """Ask for everything that an agent has to be told; returns the configuration's data.

    Parameters
    ----------
    profiles
        What is shipped.
    lines
        Serial lines of this machine, by their stable names.
    folder
        Where the file will stand: paths are relative to it.
    own_profile
        What is wrong with a profile of one's own, by the path of its file; None if nothing is.
    """
    yield Say("An empty answer takes what stands in brackets. Ctrl-C ends, and writes nothing.")
    yield Say()
    site = yield Question("Site, a short name", judge=field_of(AgentConfig, "site"))
    agent = yield Question("This computer's name", f"{site}-1", field_of(AgentConfig, "agent"))
    data: dict[str, Any] = {
        "agent": agent,
        "site": site,
        "time_zone": (yield Question("Time zone", "Asia/Tokyo", field_of(AgentConfig, "time_zone"))),
        "broker": (yield from _broker(agent_user(site, agent), agent)),
        "required_ledgers": (
            (yield Question("Ledger at headquarters", "hq", field_of(AgentConfig, "agent"))),
        ),
        "gateways": {},
        "devices": (),
    }
    while True:
        yield Say()
        more = bool(data["devices"])
        name = yield Question(
            "Next meter" if more else "First meter, as on the single-line diagram",
            _DONE if more else None,
            either(_DONE, _new_id(data["devices"])) if more else field_of(Device, "id"),
        )
        if name == _DONE:
            return data
        wanted = yield from _meter(name, data, profiles, lines, own_profile)
        problems = _contradictions(wanted, folder)
        yield from problems
        if problems:
            yield Say(f"{name} is asked again.")
        else:
            data = wanted


def _broker(user: str, agent: str) -> Part:
    """Ask for the broker; where files are needed, their usual names are taken."""
    host = yield Question("Broker, name or address", None, field_of(Broker, "host"))
    yield Say("  How does it know this computer? nothing is for a protected network only.")
    usual = _SECURED[-1] if host in HERE else _SECURED[0]
    secured = yield Question(
        "  By certificate, password, nothing", usual, one_of(_SECURED, "way to be known")
    )
    usual_port = "1883" if secured == "nothing" else "8883"
    broker: dict[str, Any] = {
        "host": host,
        "port": int((yield Question("Broker, port", usual_port, number_of(Broker, "port")))),
    }
    if secured == "certificate":
        broker["tls"] = {"ca": "ca.pem", "certificate": f"{agent}.crt", "key": f"{agent}.key"}
    elif secured == "password":
        broker |= {"tls": {"ca": "ca.pem"}, "username": user, "password_file": "broker.password"}
    return broker


def _new_id(devices: Sequence[Mapping[str, Any]]) -> Judge:
    """Judge a meter's id, which no other meter has."""
    form, taken = field_of(Device, "id"), {device["id"] for device in devices}

    def judge(answer: str) -> Problem | None:
        if answer in taken:
            return Problem((), "There is such a meter already.", answer, next="give each meter its own name")
        return form(answer)

    return judge


def _contradictions(data: dict[str, Any], folder: Path) -> list[Problem]:
    """What is wrong with all answers together."""
    config = AgentConfig.model_validate(with_profile_paths(data, folder))
    return list(dict.fromkeys(config.problems()))


def _meter(
    name: str,
    data: dict[str, Any],
    profiles: Sequence[Known],
    lines: Sequence[str],
    own_profile: Judge,
) -> Part:
    """Ask for one meter; returns the data with it."""
    last = data["devices"][-1]["modbus"] if data["devices"] else {}
    used = data["gateways"].get(last.get("gateway"), {})
    usual = "line" if "serial" in used else "gateway" if used else "ip"
    way = yield Question(
        "  Reached by: ip (of its own), gateway, line (serial)", usual, one_of(_WAYS, "way to reach a meter")
    )
    gateways = dict(data["gateways"])
    modbus: dict[str, Any] = {}
    if way == "ip":
        modbus["host"] = yield Question("  IP address or name", None, field_of(Gateway, "host"))
        modbus["port"] = int((yield Question("  Port", "502", number_of(Gateway, "port"))))
    else:
        modbus["gateway"] = yield from _bus(way, gateways, last.get("gateway"), lines)
    unit = yield Question("  Unit number", "1" if way == "ip" else None, number_of(Modbus, "unit"))
    modbus["unit"] = int(unit)
    device: dict[str, Any] = {"id": name, "profile": (yield from _profile(profiles, own_profile))}
    device["modbus"] = modbus
    for key, text in (("ct", "CT on its plate, such as 400/5"), ("vt", "VT on its plate, such as 6600/110")):
        ratio = yield Question(f"  {text}", "none", either("none", field_of(Device, key)))
        if ratio != "none":
            device[key] = ratio
    if "ct" in device or "vt" in device:
        yield Say("  Are these ratios set in the meter, so that its display shows the real energy?")
        yield Say("  yes: side primary; no: side secondary, headquarters multiplies.")
        answer = yield Question("  Set in the meter, yes or no", None, one_of(("yes", "no"), "answer"))
        device["side"] = "primary" if answer == "yes" else "secondary"
    return data | {"gateways": gateways, "devices": (*data["devices"], device)}


def _bus(way: str, gateways: dict[str, Any], last: str | None, lines: Sequence[str]) -> Part:
    """Ask for a gateway or line, and describe it in `gateways` if it is new; returns its id."""
    serial = way == "line"
    known = [name for name, each in gateways.items() if ("serial" in each) == serial]
    short = "line" if serial else "gw"
    new = next(each for number in range(1, 1000) if (each := f"{short}-{number}") not in gateways)
    if known:
        yield Say(f"  Known: {', '.join(known)}; another name describes a new one.")
    others = [each for each in gateways if each not in known]

    def judge(answer: str) -> Problem | None:
        if answer in others:
            return Problem((), "This name is that of another kind of bus.", answer, next=f"such as {new}")
        return field_of(Device, "id")(answer)

    default = last if last in known else known[0] if known else new
    name: str = yield Question("  Name of the line" if serial else "  Name of the gateway", default, judge)
    if name in known:
        return name
    gateway: dict[str, Any] = {}
    if serial:
        for line in lines:
            yield Say(f"  here: {line}")
        first = lines[0] if lines else None
        gateway["serial"] = yield Question("  Serial line", first, _of_bus(gateway, "serial"))
        gateway["baud"] = int((yield Question("  Baud rate", "9600", _of_bus(gateway, "baud"))))
        gateway["parity"] = yield Question("  Parity: even, odd, none", "even", _of_bus(gateway, "parity"))
        if gateway["parity"] == "none":
            bits = yield Question("  Stop bits: 1 or 2", "1", _of_bus(gateway, "stop_bits"))
            gateway["stop_bits"] = int(bits)
    else:
        gateway["host"] = yield Question("  Its IP address or name", None, _of_bus(gateway, "host"))
        gateway["port"] = int((yield Question("  Its port", "502", _of_bus(gateway, "port"))))
        yield Say("  tcp: it speaks Modbus TCP (usual). rtu: it passes serial frames through.")
        gateway["framing"] = yield Question("  Framing: tcp or rtu", "tcp", _of_bus(gateway, "framing"))
    gateways[name] = gateway
    return name


def _profile(profiles: Sequence[Known], own_profile: Judge) -> Part:
    """Ask for the profile by part of its name, until exactly one is meant."""
    text = "  Make or model, any part of it (or the path of a profile of your own)"
    while True:
        answer = yield Question(text)
        if answer.endswith((".yaml", ".yml")):
            if (problem := own_profile(answer)) is None:
                return answer
            yield problem
            continue
        words = answer.lower().split()
        found = [
            each
            for each in profiles
            if answer == each.id or all(word in " ".join(each).lower() for word in words)
        ]
        exact = [each for each in found if each.id == answer]
        if len(found) == 1 or exact:
            chosen = (exact or found)[0]
            yield Say(f"  {chosen.id}: {chosen.vendor} {chosen.product}"[:80])
            return chosen.id
        yield Say(f"  {len(found)} profiles are called so:" if found else "  None is called so. There are:")
        for each in found or profiles:
            yield Say(f"    {each.id:<24}{each.vendor} {each.product}"[:80])


def _of_bus(so_far: dict[str, Any], key: str) -> Judge:
    """Return the judge of a key of a bus, beside what is known of the bus."""

    def judge(answer: str) -> Problem | None:
        value = value_of(answer)
        if problem := judged(Gateway, key, value):
            return problem
        return next(gateway_problems(Gateway.model_validate(so_far | {key: value}), ()), None)

    return judge
