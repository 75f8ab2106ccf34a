"""The words in which results are described: a key with its kind and its meaning; JSON Schema and docs from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"

SECONDS: Schema = {"type": "number", "minimum": 0}
BYTES: Schema = {"type": "number", "minimum": 0}
RATE: Schema = {"type": "number", "minimum": 0}
NUMBER: Schema = {"type": "number"}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
COUNT: Schema = {"type": "integer", "minimum": 0}
TRUTH: Schema = {"type": "boolean"}
TEXT: Schema = {"type": "string"}
VERSION: Schema = {"const": 1}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a JSON object: its name, the schema of its value, what it says, and whether it may be left out."""

    name: str
    value: Schema
    says: str
    optional: bool = False


FORMAT = Key("schema_version", VERSION, "of this format")
"""The first key of every answer."""


def maybe(value: Schema) -> Schema:
    """The value, or null where it is undefined."""
    if isinstance(value.get("type"), str):
        return {**value, "type": [value["type"], "null"]}
    return {"anyOf": [value, {"type": "null"}]}


def closed(*keys: Key) -> Schema:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [key.name for key in keys if not key.optional],
        "properties": {key.name: {**key.value, "description": key.says} for key in keys},
    }


def by_name(value: Schema) -> Schema:
    """An object whose keys are names that the user gave."""
    return {"type": "object", "additionalProperties": value}


def listed(value: Schema) -> Schema:
    """An array of such values."""
    return {"type": "array", "items": value}


def document(name: str, title: str, *keys: Key, defs: Mapping[str, Schema] | None = None) -> Schema:
    """A whole schema of format version 1, named ``urn:drsim:NAME:1``."""
    head = {"$schema": DIALECT, "$id": f"urn:drsim:{name}:1", "title": title}
    return {**head, **closed(*keys), **({"$defs": dict(defs)} if defs else {})}


STATISTICS = {
    "mean": "the mean of {}",
    "p50": "the median of {}",
    "p90": "the 90th percentile of {}",
    "p95": "the 95th percentile of {}",
    "p99": "the 99th percentile of {}",
    "p999": "the 99.9th percentile of {}",
    "max": "the greatest of {}",
}
"""Words for each statistic."""
