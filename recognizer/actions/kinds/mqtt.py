"""Publishes labels at an MQTT broker, where Home Assistant finds them by itself. paho-mqtt is the client."""

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from recognizer.actions.action import NO_LABEL, Action, ActionError, Firing, Unreachable
from recognizer.event_detection.event import Phase

if TYPE_CHECKING:
    from paho.mqtt.client import Client

CONNECT_S = 5.0
PUBLISH_S = 5.0  # until the broker has confirmed a message
ONLINE, OFFLINE = "online", "offline"
AT_LEAST_ONCE = 1  # MQTT's quality of service: the broker confirms each message


@dataclass(frozen=True)
class Mqtt(Action):
    """Publishes the label in view at a broker, and "none" when it has gone."""

    phases: ClassVar[tuple[Phase, ...]] = (Phase.APPEARED, Phase.GONE)

    topic: str = "recognizer/{task}"
    payload: str = ""  # default: a JSON object, whose `label` is what is in view now
    broker: str = "localhost"
    port: int = 0  # default: 1883, or 8883 with tls
    user: str = ""
    password: str = ""
    tls: bool = False
    retain: bool = True  # the broker gives the last message to those that subscribe later
    discovery: str = "homeassistant"  # the prefix of Home Assistant's discovery topics; "" for none

    def check(self) -> None:
        if not 0 <= self.port < 1 << 16:
            raise ActionError(f"port: {self.port} is not between 1 and 65535.")
        if not self.topic or set(self.topic) & set("+#\0"):
            raise ActionError(f"topic: {self.topic!r} is no topic. Leave out + and #.")

    def describe(self) -> str:
        return f"publish {self.payload or 'the label'!r} as {self.topic} at {self.broker}:{self._port}"

    @property
    def _port(self) -> int:
        return self.port or (8883 if self.tls else 1883)

    @contextmanager
    def opened(self, task: str) -> Iterator[Callable[[Firing], None]]:
        """Stays connected until the end; paho connects again by itself if the broker was away. Raises Unreachable."""
        from paho.mqtt import client as mqtt

        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        client.connect_timeout = CONNECT_S
        status_topic = f"{self._topic(task)}/status"
        client.will_set(status_topic, OFFLINE, AT_LEAST_ONCE, retain=True)
        if self.user:
            client.username_pw_set(self.user, self.password)
        if self.tls:
            client.tls_set()
        answered, refused = threading.Event(), [""]

        def on_connect(client: "Client", data: object, flags: object, reason: mqtt.ReasonCode, more: object) -> None:
            refused[0] = str(reason) if reason.is_failure else ""
            if not reason.is_failure:
                self._announce(client, task, status_topic)
            answered.set()

        client.on_connect = on_connect
        place = f"The broker {self.broker}:{self._port}"
        try:
            client.connect(self.broker, self._port)
            client.loop_start()
            if not answered.wait(CONNECT_S):
                raise Unreachable(f"{place} did not answer in {CONNECT_S:g} s")
            if refused[0]:
                raise Unreachable(f"{place} refused the connection ({refused[0]})")
            yield lambda firing: self._publish(client, firing)
            client.publish(status_topic, OFFLINE, AT_LEAST_ONCE, retain=True).wait_for_publish(PUBLISH_S)
        except (OSError, socket.gaierror, ValueError, RuntimeError) as error:
            raise Unreachable(f"{place} cannot be reached ({error})") from error
        finally:
            client.disconnect()
            client.loop_stop()

    def _publish(self, client: "Client", firing: Firing) -> None:
        """Raises Unreachable if the broker has not confirmed the message in time."""
        payload = firing.fill(self.payload) if self.payload else _state_json(firing)
        try:
            sent = client.publish(firing.fill(self.topic), payload, AT_LEAST_ONCE, self.retain)
            sent.wait_for_publish(PUBLISH_S)
        except (ValueError, RuntimeError) as error:  # it is not connected
            raise Unreachable(f"The broker {self.broker}:{self._port} has gone ({error})") from error
        if not sent.is_published():
            raise Unreachable(f"The broker {self.broker}:{self._port} did not confirm in {PUBLISH_S:g} s")

    def _topic(self, task: str) -> str:
        return self.topic.replace("{task}", task)

    def _announce(self, client: "Client", task: str, status_topic: str) -> None:
        """Say that this program is online, and tell Home Assistant of a sensor with the label in view."""
        client.publish(status_topic, ONLINE, AT_LEAST_ONCE, retain=True)
        topic = self._topic(task)
        if not self.discovery or self.payload or "{" in topic:
            return
        client.publish(topic, json.dumps({"label": NO_LABEL}), AT_LEAST_ONCE, self.retain)
        name = re.sub(r"[^a-zA-Z0-9_-]", "_", topic)
        sensor = {
            "name": task,
            "unique_id": name,
            "state_topic": topic,
            "value_template": "{{ value_json.label }}",
            "json_attributes_topic": topic,
            "availability_topic": status_topic,
            "icon": "mdi:hand-back-right",
            "device": {"identifiers": ["webcam-recognizer"], "name": "Webcam recognizer"},
        }
        client.publish(f"{self.discovery}/sensor/{name}/config", json.dumps(sensor), AT_LEAST_ONCE, retain=True)


def _state_json(firing: Firing) -> str:
    return json.dumps({**firing.event.as_json(), "label": firing.state}, ensure_ascii=False)
