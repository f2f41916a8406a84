"""A ledger that holds all it is sent at once, for the edge's load. SYNTHETIC: it keeps nothing.

Run by bench/edge.py as ``ledger.py MQTT_PORT SITE AGENT``; a line on standard input is answered by the
readings acknowledged so far, by lane, as JSON.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from core.delivery import topics
from core.delivery.frames import Lane
from core.delivery.messages import Ack, Data, Inventory, Life, Range, Want, decode, encode

LEDGER = "hq"


def serve(port: int, site: str, agent: str) -> None:
    """Acknowledge every frame until standard input ends."""
    life, held = secrets.token_hex(16), Counter[str]()
    client = Client(CallbackAPIVersion.VERSION2)

    def connected(*_: Any) -> None:
        for lane in Lane:
            client.subscribe(topics.data(site, agent, lane), qos=1)
        announce()

    def announce() -> None:
        now_ms = int(time.time() * 1000)
        alive = Life(ledger=LEDGER, ledger_id="0" * 32, life=life, time_ms=now_ms, alive=True)
        client.publish(topics.collector_status(LEDGER), encode(alive), qos=1, retain=True)

    def take(_client: Client, _data: object, message: MQTTMessage) -> None:
        lane = topics.parse(message.topic).lane
        assert lane is not None
        match decode(bytes(message.payload)):
            case Data() as data:
                frames = data.whole(agent, lane)
                held[lane] += sum(frame.n for frame in frames)
                ack = Ack(life=life, lane=lane, ids=tuple(frame.id for frame in frames))
            case Inventory() as inventory:
                ack = Ack(life=life, lane=lane, inventory=inventory.number)
                blocks = tuple(Range(block.epoch, block.first, block.frames) for block in inventory.blocks)
                if blocks:
                    want = Want(life=life, lane=lane, inventory=inventory.number, ranges=blocks)
                    client.publish(topics.ack(site, agent, LEDGER), encode(want), qos=1)
            case _:
                return
        client.publish(topics.ack(site, agent, LEDGER), encode(ack), qos=1)

    client.on_connect, client.on_message = connected, take
    client.connect("127.0.0.1", port)
    threading.Thread(target=client.loop_forever, daemon=True).start()
    threading.Thread(target=stay_alive, args=(announce,), daemon=True).start()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(held), flush=True)


def stay_alive(announce: Callable[[], None]) -> None:
    """Say again and again that the ledger lives: an agent sends nothing to one that is silent."""
    while True:
        time.sleep(20)
        announce()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], sys.argv[3])
