"""Sessions of browsers. A session is a signed text in a cookie, so that every process of a server can check it."""

import hashlib
import hmac
import secrets
import time

SESSION_S = 7 * 24 * 3600  # a browser logs in once a week, or after the server has been started again


class EndedSessions:
    """Sessions that were ended, until they would expire."""

    def __init__(self) -> None:
        self._expire_s: dict[str, float] = {}

    def add(self, session: str, expires_s: float) -> None:
        now_s = time.time()
        self._expire_s = {old: old_expires_s for old, old_expires_s in self._expire_s.items() if old_expires_s > now_s}
        self._expire_s[session] = expires_s

    def contains(self, session: str) -> bool:
        return session in self._expire_s

    def all(self) -> dict[str, float]:
        """All sessions, and when each expires, in seconds since 1970."""
        return dict(self._expire_s)


class Sessions:
    """Starts, checks and ends sessions. `ended` remembers those that are ended; by default in this process."""

    def __init__(self, key: bytes, ended: EndedSessions | None = None) -> None:
        self._key = key
        self._ended = EndedSessions() if ended is None else ended

    def start(self) -> str:
        """A new session: letters, digits, - and _ with two dots between."""
        name = f"{secrets.token_urlsafe(16)}.{int(time.time()) + SESSION_S}"
        return f"{name}.{self._signature(name)}"

    def is_open(self, session: str) -> bool:
        """Whether the session was started by this server, and has neither expired nor ended."""
        name, _, signature = session.rpartition(".")
        signed = hmac.compare_digest(signature.encode("utf-8", "surrogatepass"), self._signature(name).encode())
        return signed and _expires_s(name) > time.time() and not self._ended.contains(session)

    def has_ended(self, session: str) -> bool:
        """Whether its browser has logged out."""
        return self._ended.contains(session)

    def end(self, session: str) -> None:
        """End a session. Others, and texts that are none, are left alone."""
        if self.is_open(session):
            self._ended.add(session, _expires_s(session.rpartition(".")[0]))

    def _signature(self, name: str) -> str:
        return hmac.new(self._key, name.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _expires_s(name: str) -> float:
    """When the session with this signed name expires, in seconds since 1970."""
    return float(name.rpartition(".")[2])
