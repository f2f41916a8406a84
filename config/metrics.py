"""Where a program tells how it fares, on its own machine."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from config.strict import Wrong


def _metrics_port(value: int) -> int:
    if not 1024 <= value <= 65_535:
        raise Wrong(
            "must be a port from 1024 to 65535",
            cause="ports below 1024 are for root, which nothing of ours is",
            next="write 9464 (an agent) or 9465 (a collector), or null for no metrics",
        )
    return value


MetricsPort = Annotated[int, AfterValidator(_metrics_port)]
"""TCP port of the loopback interface."""
