"""Sends an event to an address with HTTP: a POST with JSON."""

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from recognizer.actions.action import Action, ActionError, ActionFailed, Firing, Unreachable, check_timeout
from recognizer.system.urls import without_secrets

AGAIN = (408, 425, 429, 500, 502, 503, 504)  # answers after which the same request may succeed later


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A POST that is sent on would arrive as a GET without its JSON."""

    def redirect_request(self, *_: object) -> None:
        return None


@dataclass(frozen=True)
class Webhook(Action):
    """Sends a POST with JSON to an address. The JSON is the event, or the table `json`."""

    address: str
    json: dict[str, object] = field(default_factory=dict)
    headers: dict[str, object] = field(default_factory=dict)
    timeout_s: float = 5.0

    def check(self) -> None:
        try:
            parts = urlsplit(self.address)
            is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_good = False
        if not is_good:
            raise ActionError(f"address: {self.address!r} is no address. It begins with https:// or http://.")
        check_timeout(self.timeout_s)

    def describe(self) -> str:
        return f"post to {without_secrets(self.address)}"

    def run(self, firing: Firing) -> None:
        content = _filled(self.json, firing) if self.json else firing.event.as_json()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "webcam-recognizer",
            "Idempotency-Key": f"{firing.event.unix_s:.6f}-{firing.event.number}-{firing.event.phase}",
            **{name: firing.fill(str(value)) for name, value in self.headers.items()},
        }
        body = json.dumps(content, ensure_ascii=False).encode()
        place = without_secrets(self.address)
        try:
            request = urllib.request.Request(firing.fill_address(self.address), body, headers, method="POST")
            urllib.request.build_opener(_NoRedirect).open(request, timeout=self.timeout_s).close()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in AGAIN:
                raise Unreachable(f"{place} answered {error.code} {error.reason}") from error
            raise ActionFailed(f"{place} answered {error.code} {error.reason}. Check the address.") from error
        except urllib.error.URLError as error:
            raise Unreachable(f"{place} cannot be reached ({error.reason})") from error
        except TimeoutError as error:
            raise Unreachable(f"{place} did not answer in {self.timeout_s:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{place} broke off ({error})") from error
        except ValueError as error:  # of a header with a line break
            raise ActionFailed(f"The request cannot be sent: {error}.") from error


def _filled(value: object, firing: Firing) -> object:
    """The JSON value with the placeholders of its texts replaced. "{confidence}" alone is a number."""
    match value:
        case "{confidence}":
            return round(firing.event.confidence, 4)
        case str():
            return firing.fill(value)
        case dict():
            return {key: _filled(inner, firing) for key, inner in value.items()}
        case list():
            return [_filled(inner, firing) for inner in value]
    return value
