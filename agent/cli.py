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
from agent.commands.trust import trust
from agent.commands.watch import watch

app = typer.Typer(no_args_is_help=True, help="Read the meters of a site, and keep every reading safe.")

for command in (init, check, scan, probe, run, watch, status, doctor, trust):  # as a site meets them
    app.command()(command)
