"""docs/reference.md names every command and setting, and none that does not exist."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any

import pytest
import typer
from prometheus_client.core import Metric
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from agent.health import metrics as agent_metrics
from collector import metrics as collector_metrics
from config.agent import AgentConfig
from config.hq import HqConfig
from config.profile import Profile
from seiren import app
from tests.unit.agent.health.material import bad_night
from tests.unit.collector import scenes

PAGE = Path(__file__).parents[2] / "docs/reference.md"


def section(title: str, level: str = "##") -> str:
    """Return the text below a heading, up to the next one of its level or above."""
    found = re.search(
        rf"^{level} {re.escape(title)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", PAGE.read_text(), re.M | re.S
    )
    assert found, f"docs/reference.md has no section {title}"
    return found[1]


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield each key of a model and of the models in it, as ``sites[].name.ja``."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        yield key, field
        for suffix, inner in models(field.annotation):
            yield from keys(inner, f"{key}{suffix}.")


def models(annotation: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the models in a type: in a tuple under ``[]``, in a mapping under ``.*``."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield "", annotation
        return
    suffix = {tuple: "[]", dict: ".*"}.get(origin, "")
    for argument in arguments:
        if argument not in (NoneType, Ellipsis):
            yield from ((suffix + below, model) for below, model in models(argument))


@pytest.mark.parametrize(
    ("title", "model"), [("agent.yaml", AgentConfig), ("hq.yaml", HqConfig), ("Profiles", Profile)]
)
def test_settings(title: str, model: type[BaseModel]) -> None:
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.*?) ?\|", section(title), re.M))
    settings = dict(keys(model))
    assert rows.keys() == settings.keys()
    for key, field in settings.items():
        assert not (field.is_required() and rows[key]), f"{key} has no default"
        if isinstance(field.default, int | float | str) and field.default != "":
            assert rows[key].strip('`"') == str(field.default), f"the default of {key}"


def commands(node: Any, name: str = "seiren") -> Iterator[tuple[str, Any]]:
    """Yield each command that is not hidden, by its whole name."""
    if node.hidden:
        return
    if hasattr(node, "commands"):
        for word, below in node.commands.items():
            yield from commands(below, f"{name} {word}")
    else:
        yield name, node


COMMANDS = dict(commands(typer.main.get_command(app)))


def test_each_command_has_its_section() -> None:
    assert set(re.findall(r"^### (.*)$", section("Commands"), re.M)) == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_arguments_and_options(name: str) -> None:
    rows = {row.replace("\\|", "|") for row in re.findall(r"^\| `([^`]+)` \|", section(name, "###"), re.M)}
    assert rows == {
        max(parameter.opts, key=len)
        if parameter.param_type_name == "option"
        else (parameter.metavar or parameter.name).upper()
        for parameter in COMMANDS[name].params
        if not parameter.hidden and parameter.name != "help"
    }


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ("Metrics", agent_metrics.families(bad_night())),
        ("Metrics of the collector", collector_metrics.families(scenes.facts())),
    ],
)
def test_each_metric_is_described_as_it_is(title: str, told: Iterator[Metric]) -> None:
    rows = re.findall(r"^\| `(seiren_\w+)` \| (\w+) \| (.*?) ?\|", section(title), re.M)
    described = [(name, kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows]
    assert described == [
        (
            metric.name + ("_total" if metric.type == "counter" else ""),
            metric.type,
            {label for sample in metric.samples for label in sample.labels},
        )
        for metric in told
    ]
