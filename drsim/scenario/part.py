"""The base of every part of a scenario, and the types that parts share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, PydanticCustomError


class Part(BaseModel):
    """Plain frozen data; a key that no one reads is refused, not ignored."""

    model_config = ConfigDict(
        allow_inf_nan=False, defer_build=True, extra="forbid", frozen=True, populate_by_name=True
    )


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$", max_length=64)]
"""A site, link, group, host, volume or runbook: no dot in it, so that paths can be dotted."""


def refuse(problem: str, hint: str) -> PydanticCustomError:
    """An error for a validator to raise, with the remedy told apart from the problem."""
    return PydanticCustomError("part", "{problem}", {"problem": problem, "hint": hint})


@dataclass(frozen=True)
class Shorthand:
    """Annotation that tells the JSON Schema of a short form, which a validator expands: ``mode: journal``."""

    form: dict[str, Any]

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [self.form, handler(schema)]}

    def __hash__(self) -> int:
        return id(self)
