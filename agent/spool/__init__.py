"""The agent's disk: frames are durable before they are counted or sent."""

from agent.spool.limits import Room, SpoolFull, SpoolLimits
from agent.spool.spool import Spool

__all__ = ["Room", "Spool", "SpoolFull", "SpoolLimits"]
