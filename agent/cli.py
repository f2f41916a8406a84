"""`seiren agent …`: the commands at a site."""

from __future__ import annotations

import typer

from agent.commands.check import check
from agent.commands.doctor import doctor
from agent.commands.init import init
from agent.commands.probe import probe
from agent.commands.run import run
from agent.commands.scan import scan
from agent.commands.status import status
from agent.commands.watch import watch

app = typer.Typer(no_args_is_help=True, help="Read the meters of a site, and keep every reading safe.")

app.command()(run)
app.command()(check)
app.command()(init)
app.command()(watch)
app.command()(status)
app.command()(doctor)
app.command()(probe)
app.command()(scan)
