"""A stranger on the broker: says again what it heard, late and out of order, and forges acknowledgements."""

from __future__ import annotations

import threading
from random import Random
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from core.delivery import messages
from core.delivery.frames import Lane
from core.delivery.messages import Ack, Data, Life
from core.errors import WireError

_KEPT = 400
_EVERY_S = 0.02


class Echo:
    """Republishes messages of agents and collectors as long as it is entered.

    Parameters
    ----------
    port
        Of the broker.
    random
        Chooses what is said again.
    """

    def __init__(self, port: int, random: Random) -> None:
        self._random = random
        self._heard: list[tuple[str, bytes]] = []
        self._said: set[tuple[str, bytes]] = set()
        self._life = "0" * 32
        self._ended = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("seiren/#", qos=1)
        self._speaker = threading.Thread(target=self._speak, daemon=True)
        self.repeated = self.forged = 0

    def __enter__(self) -> Self:
        self._client.loop_start()
        self._speaker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._speaker.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        heard = (message.topic, bytes(message.payload))
        if heard not in self._said and len(self._heard) < _KEPT:
            self._heard.append(heard)

    def _speak(self) -> None:
        while not self._ended.wait(_EVERY_S):
            if not self._heard:
                continue
            topic, payload = self._heard[self._random.randrange(len(self._heard))]
            self._said.add((topic, payload))
            self._client.publish(topic, payload, qos=1)
            self.repeated += 1
            self._forge(topic, payload)

    def _forge(self, topic: str, payload: bytes) -> None:
        """Acknowledge a message's frames in a life that is none, and frames that are none in the true one."""
        try:
            message = messages.decode(payload)
        except WireError:
            return
        if isinstance(message, Life):
            self._life = message.life
        if not isinstance(message, Data):
            return
        root, _, lane = topic.rpartition("/")
        _site, agent = root.split("/")[-2:]
        frames = message.whole(agent, Lane(lane))
        blind = tuple(self._random.randbytes(16).hex() for _ in frames)
        for life, ids in ((self._random.randbytes(16).hex(), [f.id for f in frames]), (self._life, blind)):
            forged = Ack(life=life, lane=frames[0].lane, ids=tuple(ids))
            for ledger in ("hq", "hq-2"):
                self._client.publish(f"{root}/ack/{ledger}", messages.encode(forged), qos=1)
            self.forged += 1
