"""Structured logs: one JSON object a line on stderr, with the facts beside the message."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

log = logging.getLogger("drsim.agent")
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """Renders a record as one line of JSON: time (UTC), level, message, and everything given as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        facts: dict[str, Any] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        facts |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info:
            facts["traceback"] = self.formatException(record.exc_info)
        return json.dumps(facts, default=str)


def start_logging(level: str = "info") -> None:
    """Send this package's records to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(level.upper())
