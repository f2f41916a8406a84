"""The questions of `seiren agent init` (pure): answers go in, a configuration comes out.

An interview is a generator: it yields questions, lines to say and problems to tell, and is sent the answer
to a question.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from config.agent import AgentConfig, Device, Gateway, Modbus
from config.broker import Broker
from config.explaining import explain
from config.link_problems import gateway_problems
from config.profile import with_profile_paths
from config.strict import Problem

Judge = Callable[[str], Problem | None]
"""What is wrong with an answer, or None."""
_DONE: Final = "no more meters"
_WAYS: Final = ("ip", "gateway", "line")


class Known(NamedTuple):
    """A shipped profile."""

    id: str
    vendor: str
    product: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes
    ----------
    text
        In a few words.
    default
        What an empty answer means; None: it has to be answered.
    judge
        What is wrong with an answer, or None.
    """

    text: str
    default: str | None = None
    judge: Judge = lambda answer: None


@dataclass(frozen=True, slots=True)
class Say:
    """A line that is said between questions."""

    text: str = ""


Step = Question | Say | Problem
Interview = Generator[Step, str, dict[str, Any]]
Part = Generator[Step, str, Any]


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
    site = yield Question("Site, a short name", judge=_field(AgentConfig, "site"))
    data: dict[str, Any] = {
        "agent": (yield Question("This computer's name", f"{site}-1", _field(AgentConfig, "agent"))),
        "site": site,
        "time_zone": (yield Question("Time zone", "Asia/Tokyo", _field(AgentConfig, "time_zone"))),
        "broker": {
            "host": (yield Question("Broker, name or address", None, _field(Broker, "host"))),
            "port": int((yield Question("Broker, port", "1883", _number(Broker, "port")))),
        },
        "required_ledgers": ((yield Question("Ledger at headquarters", "hq", _field(AgentConfig, "agent"))),),
        "gateways": {},
        "devices": (),
    }
    while True:
        yield Say()
        more = bool(data["devices"])
        name = yield Question(
            "Next meter" if more else "First meter, as on the single-line diagram",
            _DONE if more else None,
            _or(_DONE, _new_id(data["devices"])) if more else _field(Device, "id"),
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


def _new_id(devices: Sequence[Mapping[str, Any]]) -> Judge:
    """Judge a meter's id, which no other meter has."""
    form, taken = _field(Device, "id"), {device["id"] for device in devices}

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
        "  Reached by: ip (of its own), gateway, line (serial)", usual, _one_of(_WAYS, "way to reach a meter")
    )
    gateways = dict(data["gateways"])
    modbus: dict[str, Any] = {}
    if way == "ip":
        modbus["host"] = yield Question("  IP address or name", None, _field(Gateway, "host"))
        modbus["port"] = int((yield Question("  Port", "502", _number(Gateway, "port"))))
    else:
        modbus["gateway"] = yield from _bus(way, gateways, last.get("gateway"), lines)
    unit = yield Question("  Unit number", "1" if way == "ip" else None, _number(Modbus, "unit"))
    modbus["unit"] = int(unit)
    device: dict[str, Any] = {"id": name, "profile": (yield from _profile(profiles, own_profile))}
    device["modbus"] = modbus
    for key, text in (("ct", "CT on its plate, such as 400/5"), ("vt", "VT on its plate, such as 6600/110")):
        ratio = yield Question(f"  {text}", "none", _or("none", _field(Device, key)))
        if ratio != "none":
            device[key] = ratio
    if "ct" in device or "vt" in device:
        yield Say("  Are these ratios set in the meter, so that its display shows the real energy?")
        yield Say("  yes: side primary; no: side secondary, headquarters multiplies.")
        answer = yield Question("  Set in the meter, yes or no", None, _one_of(("yes", "no"), "answer"))
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
        return _field(Device, "id")(answer)

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


def _field(model: type[BaseModel], key: str) -> Judge:
    """Return the judge of a key whose value is text."""
    return lambda answer: _judged(model, key, answer)


def _number(model: type[BaseModel], key: str) -> Judge:
    """Return the judge of a key whose value is a whole number."""
    return lambda answer: _judged(model, key, _value(answer))


def _value(answer: str) -> str | int:
    """A whole number where the answer is one."""
    return int(answer) if answer.isascii() and answer.removeprefix("-").isdigit() else answer


def _of_bus(so_far: dict[str, Any], key: str) -> Judge:
    """Return the judge of a key of a bus, beside what is known of the bus."""

    def judge(answer: str) -> Problem | None:
        value = _value(answer)
        if problem := _judged(Gateway, key, value):
            return problem
        return next(gateway_problems(Gateway.model_validate(so_far | {key: value}), ()), None)

    return judge


def _judged(model: type[BaseModel], key: str, value: object) -> Problem | None:
    field = model.model_fields[key]
    adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError as error:
        return explain(error.errors(include_url=False)[0], (), model)
    return None


def _one_of(options: Sequence[str], what: str) -> Judge:
    def judge(answer: str) -> Problem | None:
        if answer in options:
            return None
        return Problem((), f"There is no such {what}.", answer, next=f"one of {', '.join(options)}")

    return judge


def _or(word: str, judge: Judge) -> Judge:
    return lambda answer: None if answer == word else judge(answer)
