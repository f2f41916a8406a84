"""A rectifier's OPC UA server: every value is computed for the moment that the plant shows."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC

from asyncua import ua
from asyncua.common.node import Node
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds

NAMESPACE = "urn:seiren:simulator:rectifier"


@dataclass(frozen=True, slots=True)
class Variable:
    """A value of the server: its OPC UA type, and what it is at a time [ms since 1970-01-01 UTC]."""

    type: ua.VariantType
    value: Callable[[int], int | float]


@asynccontextmanager
async def serve_variables(
    variables: Mapping[str, Variable], *, port: int, now_ms: Callable[[], int]
) -> AsyncIterator[None]:
    """Serve variables with the node ids ``s=NAME`` of `NAMESPACE` on loopback, without security.

    Parameters
    ----------
    variables
        Name to variable; a name is ``Object.Variable``.
    port
        Where to listen.
    now_ms
        The plant's time [ms since 1970-01-01 UTC], which is every value's source time.

    Raises
    ------
    OSError
        If the port is taken.
    """
    logging.getLogger("asyncua").setLevel(logging.ERROR)  # it warns of the missing security, asked for here
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    server.set_server_name("Seiren simulator")
    index = await server.register_namespace(NAMESPACE)
    objects: dict[str, Node] = {}

    def current(variable: Variable) -> Callable[[ua.NodeId, AttributeIds], ua.DataValue]:
        def value(_node: ua.NodeId, _attribute: AttributeIds) -> ua.DataValue:
            time_ms = now_ms()
            at = ua.DateTime.fromtimestamp(time_ms / 1000, UTC).replace(tzinfo=None)
            return ua.DataValue(ua.Variant(variable.value(time_ms), variable.type), SourceTimestamp=at)

        return value

    for name, variable in variables.items():
        parent, _, child = name.partition(".")
        if parent not in objects:
            objects[parent] = await server.nodes.objects.add_object(_node_id(index, parent), parent)
        node = await objects[parent].add_variable(_node_id(index, name), child, 0, variable.type)
        server.iserver.aspace.set_attribute_value_callback(node.nodeid, AttributeIds.Value, current(variable))
    async with server:
        yield


def _node_id(namespace: int, name: str) -> ua.NodeId:
    return ua.NodeId.from_string(f"ns={namespace};s={name}")
