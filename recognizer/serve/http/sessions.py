"""Sessions of browsers. A session is a signed text in a cookie, so that every process of a server can check it."""

import hashlib
import hmac
import secrets
import time

SESSION_S = 7 * 24 * 3600  # a browser logs in once a week, or after the server has been started again


class Sessions:
    """Starts, checks and ends sessions. Those that are ended are remembered in this process until they would expire."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._ended: dict[str, float] = {}  # sessions, and when they expire

    def start(self) -> str:
        """A new session: letters, digits, - and _ with two dots between."""
        name = f"{secrets.token_urlsafe(16)}.{int(time.time()) + SESSION_S}"
        return f"{name}.{self._signature(name)}"

    def is_open(self, session: str) -> bool:
        """Whether the session was started by this server, and has neither expired nor ended."""
        name, _, signature = session.rpartition(".")
        signed = hmac.compare_digest(signature.encode("utf-8", "surrogatepass"), self._signature(name).encode())
        return signed and _expires_s(name) > time.time() and session not in self._ended

    def end(self, session: str) -> None:
        """End a session. Others, and texts that are none, are left alone."""
        if self.is_open(session):
            now_s = time.time()
            self._ended = {old: expires_s for old, expires_s in self._ended.items() if expires_s > now_s}
            self._ended[session] = _expires_s(session.rpartition(".")[0])

    def _signature(self, name: str) -> str:
        return hmac.new(self._key, name.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _expires_s(name: str) -> float:
    """When the session with this signed name expires, in seconds since 1970."""
    return float(name.rpartition(".")[2])
