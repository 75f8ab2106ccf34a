"""Network addresses in a configuration: ``host:port``."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from drsim.scenario.part import Part, refuse


class Address(Part):
    """``host:port``, or ``[host]:port`` for IPv6."""

    host: str
    port: Annotated[int, Field(ge=0, le=65535)]

    @property
    def pair(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port


def _address(value: Any) -> Any:
    """Read ``host:port``."""
    if not isinstance(value, str):
        return value
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise refuse(f"'{value}' is not an address", "write host:port, as in 10.0.0.1:7010")
    return {"host": host.strip("[]"), "port": int(port)}


AnyAddress = Annotated[Address, BeforeValidator(_address)]
