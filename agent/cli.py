"""`seiren agent …`: the commands at a site."""

from __future__ import annotations

import typer

from agent.commands.check import check
from agent.commands.run import run

app = typer.Typer(no_args_is_help=True, help="Read the meters of a site, and keep every reading safe.")

app.command()(run)
app.command()(check)
