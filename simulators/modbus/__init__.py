"""Simulated devices on Modbus: TCP, RTU over TCP, TLS and serial lines, with faults to switch on."""

from simulators.modbus.faults import Fault, Faults
from simulators.modbus.meter import Meter
from simulators.modbus.server import ServerTls, serve_meters, serve_serial

__all__ = ["Fault", "Faults", "Meter", "ServerTls", "serve_meters", "serve_serial"]
