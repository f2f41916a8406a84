"""The agent's disk: frames are durable before they are counted or sent."""

from agent.spool.spool import Spool

__all__ = ["Spool"]
