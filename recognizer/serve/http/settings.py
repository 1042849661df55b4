"""The validated settings of the server."""

import ipaddress
import re
import secrets
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from recognizer.errors import SettingsError

TOKEN_VARIABLE = "RECOGNIZER_TOKEN"
# shorter tokens can be guessed; other characters are not allowed in a header or cookie
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,200}")


@dataclass(frozen=True)
class ServeSettings:
    """Settings of one run of the server."""

    host: str = "127.0.0.1"
    port: int = 8000  # 0 picks a free port
    token: str | None = field(default=None, repr=False)  # of every client; mandatory if other machines can connect
    workers: int = 1  # worker processes
    names: tuple[str, ...] = ()  # other host names of this machine
    certificate: Path | None = None  # PEM file; enables https
    key: Path | None = None
    opens_browser: bool = False
    session_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)  # signs the cookies

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"--port {self.port} is not between 0 and 65535. Try 8000.")
        if not 1 <= self.workers <= 64:
            raise SettingsError(f"--workers {self.workers} is not between 1 and 64. Try the number of cores.")
        if self.token is not None and not TOKEN.fullmatch(self.token):
            raise SettingsError(
                f"{TOKEN_VARIABLE} is not 16 to 200 letters, digits, - and _. Unset it, and the server makes a token."
            )
        if self.token is None and not self.is_loopback:
            raise SettingsError(f"--host {self.host} admits other machines, which need a token. Leave --no-token out.")
        if (self.certificate is None) != (self.key is None):
            raise SettingsError("--certificate and --key belong together. Give both, or neither.")
        for path in (self.certificate, self.key):
            if path is not None and not path.is_file():
                raise SettingsError(f"{path} does not exist. Give a PEM file, or leave --certificate and --key out.")
        if self.certificate is not None:
            self._check_certificate()

    def _check_certificate(self) -> None:
        def no_password() -> str:
            raise SettingsError(f"{self.key} needs a password. Save it without one: openssl pkey -in KEY -out NEW_KEY")

        assert self.certificate is not None
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key, no_password)
        except OSError as error:  # ssl.SSLError is one
            reason = error.strerror or str(error) or "not PEM"
            raise SettingsError(
                f"{self.certificate} and {self.key} are no certificate with its key ({reason}). Give two PEM files."
            ) from error

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a name or address is a loopback address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
