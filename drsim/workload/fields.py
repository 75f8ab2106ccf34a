"""The pydantic types of a stream's keys that are spelt as kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from drsim.workload import access, app, apps, arrivals, calendars, sizes
from drsim.workload.spelling import Spelled, field_type, read


def parse_arrivals(value: Any) -> arrivals.Arrivals:
    """Read an arrival process; raises UnitError."""
    return value if isinstance(value, arrivals.Arrivals) else read("arrivals", str(value), arrivals.KINDS)


def parse_access(value: Any) -> access.Access:
    """Read an access pattern; raises UnitError."""
    return value if isinstance(value, access.Access) else read("access", str(value), access.KINDS)


def _forms(kinds: dict[str, Any]) -> list[str]:
    return [kind.FORM for kind in kinds.values() if issubclass(kind, Spelled)]


if TYPE_CHECKING:
    ArrivalsField = arrivals.Arrivals
    AccessField = access.Access
    SizesField = sizes.Sizes
    CalendarField = calendars.Calendar
    AppField = app.App
else:
    _SIZES = [sizes.Fixed.FORM, *_forms(sizes.KINDS)]
    ArrivalsField = field_type(arrivals.Arrivals, parse_arrivals, _forms(arrivals.KINDS), "when writes come")
    AccessField = field_type(access.Access, parse_access, _forms(access.KINDS), "where writes go")
    SizesField = field_type(sizes.Sizes, sizes.parse_sizes, _SIZES, "how long writes are")
    CalendarField = field_type(
        calendars.Calendar, calendars.parse_calendar, _forms(calendars.KINDS), "when in the week"
    )
    AppField = field_type(app.App, apps.parse_app, _forms(apps.KINDS), "an application")


def _names(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _plain(names: tuple[str, ...]) -> str | list[str]:
    return names[0] if len(names) == 1 else list(names)


_PATHS = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
    "examples": ["sample.csv.gz", "sda.blktrace.*", ["monday.csv", "tuesday.csv"]],
    "description": "a trace, relative to the scenario file; several are replayed one after another",
}
TraceNames = Annotated[
    tuple[str, ...],
    Field(min_length=1),
    BeforeValidator(_names),
    PlainSerializer(_plain),
    WithJsonSchema(_PATHS),
]
"""Traces by name."""
DeviceLabel = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]
"""A device's label in its trace; a number needs no quotes."""
