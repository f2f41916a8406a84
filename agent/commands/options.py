"""What several commands are told in the same way."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="The agent's configuration, agent.yaml.")]


class Form(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"
