"""What is read of an OPC UA server."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from config.links import ReplySeconds
from config.profile import Measure
from config.strict import Id, Model, PositiveExact, Wrong

_URL: Final = re.compile(r"opc\.tcp://[^/\s]+(/\S*)?")
_NODE: Final = re.compile(r"(ns=\d+;)?(i=\d+|s=.+|g=[0-9A-Fa-f-]{36}|b=.+)")


def _url(value: str) -> str:
    if not _URL.fullmatch(value):
        host = re.split(r"[/\s]", value.partition("://")[2] or value, maxsplit=1)[0]
        raise Wrong(
            "is no address of an OPC UA server",
            cause="only the binary protocol, opc.tcp, is spoken",
            next=f"write opc.tcp://{host or 'host:4840'}",
        )
    return value


def _node(value: str) -> str:
    if not _NODE.fullmatch(value):
        raise Wrong(
            "is no node id",
            cause="a node id says what kind it is: i= number, s= text, g= GUID, b= bytes",
            next=f"for a name write s={value}, with ns=…; before it as the server's browser shows it",
        )
    return value


def _id(value: str) -> str:
    if value.startswith("ns="):
        raise Wrong(
            "has a namespace number, and stands beside the namespace's URI",
            cause="a number may change when the server starts; the URI is there to avoid that",
            next=f"write {value.partition(';')[2]}",
        )
    return _node(value)


class OpcUa(Model):
    """An OPC UA server; a connection without security is asked for by name."""

    url: Annotated[str, AfterValidator(_url)]
    security: Literal["none"]
    timeout_s: ReplySeconds = 5


class OpcUaNode(Measure):
    """One value of an OPC UA server.

    `node` is a complete node id (``ns=2;s=Rectifier.Energy``); better is `namespace` (its URI) with
    `id` (``s=Rectifier.Energy``), which survives a server that numbers its namespaces anew.
    """

    name: Id | None = None
    node: Annotated[str, AfterValidator(_node)] | None = None
    namespace: Annotated[str, Field(min_length=1)] | None = None
    id: Annotated[str, AfterValidator(_id)] | None = None
    scale: PositiveExact = Fraction(1)

    @property
    def point_name(self) -> str:
        """Name inside the device: the quantity, where none is given."""
        return self.name or self.quantity.value

    @property
    def address(self) -> tuple[str | None, str]:
        """Namespace, where it is given by its URI, and node id."""
        return self.namespace, self.node or self.id or ""

    @model_validator(mode="after")
    def _addressed_once(self) -> OpcUaNode:
        by_uri = self.namespace is not None and self.id is not None
        if (
            (self.node is not None) == by_uri
            or (self.node is None) != by_uri
            or (self.namespace is None) != (self.id is None)
        ):
            raise ValueError("needs either node, or namespace and id together")
        return self
