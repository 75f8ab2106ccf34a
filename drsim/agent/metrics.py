"""Prometheus metrics under the names of the simulator's summary, computed when they are asked for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

Status = Callable[[], dict[str, Any]]


class AgentCollector(Collector):
    """Turns the agent's status into gauges ``drsim_<name>{group=…, target=…}``; states become 0 or 1.

    Args:
        status: gives the status; called in the loop's thread.
    """

    def __init__(self, status: Status, loop: asyncio.AbstractEventLoop) -> None:
        self._status = status
        self._loop = loop

    def collect(self) -> Iterator[Metric]:
        """Give all metrics of this moment."""
        families: dict[str, GaugeMetricFamily] = {}
        for group, facts in self._ask()["groups"].items():
            for name, value in _numbers(facts):
                _add(families, name, ["group"], [group], value)
            for target, more in facts.get("targets", {}).items():
                for name, value in _numbers(more):
                    _add(families, name, ["group", "target"], [group, target], value)
        yield from families.values()

    def _ask(self) -> dict[str, Any]:
        async def ask() -> dict[str, Any]:
            return self._status()

        return asyncio.run_coroutine_threadsafe(ask(), self._loop).result(10)


def _numbers(facts: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in facts.items():
        if isinstance(value, bool | int | float):
            yield name, float(value)
        elif name == "state":
            yield f"state_{str(value).lower()}", 1.0


def _add(
    families: dict[str, GaugeMetricFamily], name: str, labels: list[str], values: list[str], value: float
) -> None:
    key = f"drsim_target_{name}" if len(labels) == 2 else f"drsim_{name}"
    family = families.get(key)
    if family is None:
        family = families[key] = GaugeMetricFamily(key, f"{name}, as in the summary", labels=labels)
    family.add_metric(values, value)


class MetricsServer:
    """Serves the metrics over HTTP in a thread of its own."""

    def __init__(self, host: str, port: int, status: Status) -> None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(AgentCollector(status, asyncio.get_running_loop()))
        self._server, self._thread = start_http_server(port, addr=host, registry=registry)
        self.port = int(self._server.server_port)

    def close(self) -> None:
        """Stop serving."""
        threading.Thread(target=self._server.shutdown, daemon=True).start()
        self._server.server_close()
