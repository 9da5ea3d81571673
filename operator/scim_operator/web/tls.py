"""TLS by the files of a mounted Secret, followed when it changes: nothing restarts, no connection ends.

Every handshake looks whether the files are still those of the last one. The kubelet swaps them all at once,
by a symbolic link; connections that stand keep what they began with. Each change makes a context of its own:
loading into one that is in use would leave half of a pair there when the other half can't be read.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

log = logging.getLogger(__name__)

CA, CERTIFICATE, KEY = "ca.crt", "tls.crt", "tls.key"
# The kubelets bring a changed Secret to each pod within about a minute and a half, not all at once. Until all
# must have it the old certificate is shown, and until nobody can show it any more the old CA is trusted.
SHOW_OLD_SECONDS, TRUST_OLD_SECONDS = 180.0, 600.0

Made = Callable[[Path], ssl.SSLContext]
_Seen = tuple[tuple[int, int, int] | None, ...]


class Following(ssl.SSLContext):
    """A context that hands each new connection to the one made of what is in the folder now."""

    def __new__(cls, *_: object) -> Following:
        """The protocol is never used."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(
        self, folder: Path, files: Sequence[str], make: Made, monotonic: Callable[[], float]
    ) -> None:
        """Raises OSError when the files can't be used."""
        self._folder = folder
        self._files = files
        self._make = make
        self._monotonic = monotonic
        self._seen = self._look()
        try:
            self._authority = self._read_authority()
            # From when on which one is used, in the order of time.
            self._course = [(monotonic(), make(folder))]
        except (OSError, ValueError) as error:
            raise OSError(self._problem(error)) from error

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """What asyncio calls for each connection, on either side."""
        if (now := self._look()) != self._seen:
            self._seen = now
            self._follow()
        return self._current().wrap_bio(incoming, outgoing, server_side, server_hostname, session)

    def _current(self) -> ssl.SSLContext:
        now = self._monotonic()
        return [context for since, context in self._course if since <= now][-1]

    def _follow(self) -> None:
        now, old, old_authority = self._monotonic(), self._current(), self._authority
        try:
            new, authority = self._make(self._folder), self._read_authority()
            if authority == old_authority:
                course = [(now, new)]
            else:
                both = self._make(self._folder)
                both.load_verify_locations(cadata=old_authority)
                old.load_verify_locations(cadata=authority)
                course = [(now, old), (now + SHOW_OLD_SECONDS, both), (now + TRUST_OLD_SECONDS, new)]
        except (OSError, ValueError) as error:
            log.error("the certificate changed, and the one before is used on: %s", self._problem(error))
            return
        self._authority, self._course = authority, course
        log.info("the certificate changed", extra={"folder": str(self._folder), "steps": len(course)})

    def _problem(self, error: Exception) -> str:
        return (
            f"what is in {self._folder} can't be used ({error}); the Secret that is mounted there must have"
            f" {', '.join(self._files)}, in PEM: the certificate, those in between after it, and its own key"
        )

    def _look(self) -> _Seen:
        """What tells one state of the files from another."""
        return tuple(_state(self._folder / name) for name in self._files)

    def _read_authority(self) -> str:
        """Empty where the other side need not show a certificate."""
        return (self._folder / CA).read_text() if CA in self._files else ""


def for_providers(folder: Path, monotonic: Callable[[], float] = time.monotonic) -> ssl.SSLContext:
    """Of the SCIM port: a certificate of tls.crt and tls.key. Entra asks for TLS 1.2 or newer."""
    return Following(folder, (CERTIFICATE, KEY), _serving, monotonic)


def between_replicas(
    purpose: ssl.Purpose, folder: Path, monotonic: Callable[[], float] = time.monotonic
) -> ssl.SSLContext:
    """Of either end of the internal port: both show a certificate of an authority in ca.crt."""
    return Following(folder, (CA, CERTIFICATE, KEY), partial(verifying, purpose), monotonic)


def _serving(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    return context


def verifying(purpose: ssl.Purpose, folder: Path) -> ssl.SSLContext:
    """What `between_replicas` uses as long as nothing changes."""
    context = ssl.create_default_context(purpose, cafile=str(folder / CA))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    return context


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
