"""Sends Open Sound Control messages over UDP, as music and light programs take them. python-osc sends them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recognizer.actions.action import Action, ActionError, Firing, Unreachable

if TYPE_CHECKING:
    from pythonosc.udp_client import SimpleUDPClient


@dataclass(frozen=True)
class Osc(Action):
    """Sends a message. The value "{confidence}" alone is sent as a number, all others as texts."""

    address: str = "/recognizer/{event}"
    values: tuple[str, ...] = ("{label}", "{confidence}", "{hand}")
    host: str = "127.0.0.1"
    port: int = 9000

    def check(self) -> None:
        if not self.address.startswith("/"):
            raise ActionError(f"address: {self.address!r} is no OSC address. It begins with /.")
        if not 1 <= self.port < 1 << 16:
            raise ActionError(f"port: {self.port} is not between 1 and 65535.")

    def describe(self) -> str:
        return f"send {self.address} to {self.host}:{self.port}"

    @contextmanager
    def opened(self, task: str) -> Iterator[Callable[[Firing], None]]:
        from pythonosc.udp_client import SimpleUDPClient

        try:
            client = SimpleUDPClient(self.host, self.port)
        except OSError as error:
            raise Unreachable(f"{self.host} cannot be reached ({error})") from error
        with client:
            yield lambda firing: self._send(client, firing)

    def _send(self, client: "SimpleUDPClient", firing: Firing) -> None:
        values = [firing.event.confidence if one == "{confidence}" else firing.fill(one) for one in self.values]
        try:
            client.send_message(firing.fill(self.address), values)
        except OSError as error:
            raise Unreachable(f"{self.host}:{self.port} cannot be reached ({error})") from error
