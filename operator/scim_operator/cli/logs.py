"""Structured logs: one JSON object a line, on standard error; the audit stream has standard output."""

from __future__ import annotations

import hmac
import logging
import sys
from collections.abc import Callable
from typing import TextIO

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from scim_operator.web.requests import CURRENT

log = logging.getLogger(__name__)

# kopf hangs these on its records; they can't be written as JSON, or say nothing.
_OF_KOPF = ("settings", "k8s_skip")


def configure_logs(level: str) -> None:
    """For the whole process. kopf is quieter by one level: it tells of every event."""
    handler = logging.StreamHandler()
    handler.addFilter(_with_request)
    handler.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            reserved_attrs=[*RESERVED_ATTRS, *_OF_KOPF],
            datefmt="%Y-%m-%dT%H:%M:%S%z",
        )
    )
    # None of it is in a line, and all of it is found out for each.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # aiohttp's server reports a request it can't parse with its whole first line, names in it included.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    logging.getLogger("kopf").setLevel(max(logging.WARNING, logging.getLogger().level))


class _Audit(logging.StreamHandler[TextIO]):
    """A line that can't be written is told of on standard error without what it says, and fails nothing."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        log.error("a line of the audit stream couldn't be written", extra={"error": repr(sys.exception())})


def audit_stream() -> Callable[[str], None]:
    """What writes a line of it."""
    handler = _Audit(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    stream = logging.getLogger("scim_operator.audit")
    stream.handlers, stream.propagate = [handler], False
    stream.setLevel(logging.INFO)  # whatever --log-level says
    return lambda line: stream.info("%s", line)


def keyed_hash(key: bytes) -> Callable[[str], str]:
    """What stands for a name: who knows it, and the key, finds it again."""
    return lambda name: (
        "hmac:" + hmac.new(key, name.encode(errors="surrogatepass"), "sha256").hexdigest()[:32]
    )


def _with_request(record: logging.LogRecord) -> bool:
    """What is logged while a request is answered carries its id."""
    if (request_id := CURRENT.get()) is not None and not hasattr(record, "request_id"):
        record.request_id = request_id
    return True
