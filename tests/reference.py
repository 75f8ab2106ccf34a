"""Writes docs/REFERENCE.md, docs/SUMMARY.md and docs/schema/ from the code: ``python -m tests.reference``."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import click
from pydantic import TypeAdapter

from drsim import units
from drsim.cli import exits
from drsim.cli.main import COMMANDS, cli
from drsim.cli.schema import NAMES, schema_of
from drsim.measure.images import IMAGES
from drsim.report.schema.parts import Key
from drsim.report.schema.summary import RUN, SECTIONS
from drsim.scenario.keys import SECTIONS as EXPECTED
from drsim.scenario.keys import TARGET, listed
from drsim.simulation.tables import tabulate
from drsim.units import DAY_NAMES, kinds
from drsim.units.kind import Kind, a

QUANTITIES = [
    (each, TypeAdapter(Annotated[float, each]).json_schema())
    for each in vars(kinds).values()
    if isinstance(each, Kind)
]
"""Kinds of quantities, and how the schema tells of them."""
DOCS = Path(__file__).parents[1] / "docs"
_MADE = "<!-- written by python -m tests.reference: change the code, not this file -->\n"
_CODES = {
    exits.PASSED: "everything passed",
    exits.INTERNAL: "a fault of drsim itself",
    exits.REFUSED: "wrong usage, an invalid scenario, a file that can't be read or written",
    exits.MISSED: "everything ran; an objective was missed",
    exits.INCOMPLETE: "some runs did not finish",
    exits.INTERRUPTED: "interrupted; nothing half-written stays behind, and what a study has finished is kept",
}
_OBJECTS = {
    "group": "`groups.<g>`",
    "target": "`groups.<g>.targets.<T>`",
    "outcome": "`groups.<g>.disasters[i]` and `operations[i]`",
    "tenure": "`groups.<g>.tenures[i]`",
    "tenure_target": "`groups.<g>.tenures[i].targets.<T>`",
    "link": "`links.<l>`",
    "host": "`hosts.<h>`",
    "expectation": "`expectations[i]`",
}


def documents() -> dict[Path, str]:
    """Every generated file with its text."""
    found = {DOCS / "REFERENCE.md": reference(), DOCS / "SUMMARY.md": summary()}
    for name in NAMES:
        found[DOCS / "schema" / f"{name}.json"] = json.dumps(schema_of(name), indent=1) + "\n"
    return found


def reference() -> str:
    """Commands with all options, exit codes, and every key of a scenario."""
    parts = ["# Reference", _MADE, "## Commands\n"]
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        parts += [f"### drsim {name}\n", *_command(name, command)]
    parts += ["## Exit codes\n", "| code | |\n|---|---|"]
    parts += [f"| {code} | {words} |" for code, words in _CODES.items()]
    parts += ["\n## Scenario files\n", *_scenario()]
    return "\n".join(parts).rstrip() + "\n"


def _command(name: str, command: click.Command) -> Iterator[str]:
    above = click.Context(cli, **cli.context_settings)
    # Kept from a call, in a test, without the names that the whole program gives it.
    command._help_option = None
    with click.Context(command, info_name=f"drsim {name}", parent=above, max_content_width=100) as context:
        arguments = " ".join(command.collect_usage_pieces(context))
        yield f"    drsim {name} {arguments}\n"
        yield inspect.cleandoc(command.help or "") + "\n"
        rows = [
            p.get_help_record(context) for p in command.get_params(context) if isinstance(p, click.Option)
        ]
        yield "| option | |\n|---|---|"
        for record in filter(None, rows):
            yield f"| `{_cell(record[0])}` | {_cell(record[1])} |"
        yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _scenario() -> Iterator[str]:
    schema = schema_of("scenario")
    defs: dict[str, Any] = schema["$defs"]  # type: ignore[assignment]
    yield "Unknown keys are refused. A name of yours is `<name>`. SCENARIO.md tells what they mean together.\n"
    yield from _part("Scenario", schema)
    for name, body in defs.items():
        yield from _part(name, body)


def _part(name: str, body: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    if body.get("description"):
        yield inspect.cleandoc(body["description"]).replace("``", "`") + "\n"
    if not body.get("properties"):
        return
    yield "| key | value | unless said | |\n|---|---|---|---|"
    needed = set(body.get("required", ()))
    for key, value in body["properties"].items():
        default = "needed" if key in needed else _default(value)
        said = "" if value.get("description") in (None, _kind(value)) else value["description"]
        yield f"| `{key}` | {_cell(_kind(value))} | {_cell(default)} | {_cell(said)} |"
    yield ""


def _default(value: dict[str, Any]) -> str:
    given = value.get("default")
    if given is None or given in ("", [], {}):
        return ""
    if (quantity := _quantity(value)) is not None:
        return f"`{_shown(quantity, given)}`"
    if given == list(range(len(DAY_NAMES))):
        return "`daily`"
    return "as below" if isinstance(given, dict) else f"`{json.dumps(given).strip(chr(34))}`"


def _quantity(value: dict[str, Any]) -> Kind | None:
    """The kind of quantity that a value is, told by its words, or else by the texts it accepts."""
    alike = [(kind, told) for kind, told in QUANTITIES if told["anyOf"][:1] == value.get("anyOf", [])[:1]]
    named = [kind for kind, told in alike if told["description"] == value.get("description")]
    return next(iter([*named, *(kind for kind, _ in alike)]), None)


def _shown(quantity: Kind, given: float) -> str:
    """A default as it would be written: with its unit."""
    if quantity is kinds.SIZE:
        power = next(power for power in (3, 2, 1, 0) if given % 1024**power == 0)
        return f"{given // 1024**power:.0f} {('B', 'KiB', 'MiB', 'GiB')[power]}"
    return units.format_fraction(given) if quantity.base == "%" else units.format_duration(given)


def _kind(value: dict[str, Any]) -> str:
    """A value's kind in words, from its schema."""
    if (quantity := _quantity(value)) is not None:
        return f"{a(quantity.noun)}, like {quantity.like[0]}"
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf"):
        if several in value:
            kinds = [_kind(each) for each in value[several] if each.get("type") != "null"]
            return " or ".join(dict.fromkeys(kind for kind in kinds if kind != "`0`"))
    if "enum" in value or "const" in value:
        return " or ".join(f"`{each}`" for each in value.get("enum", [value.get("const")]))
    return _typed(value)


def _typed(value: dict[str, Any]) -> str:
    kind = value.get("type", "anything")
    if kind == "array":
        items = value.get("items") or value.get("prefixItems") or {}
        each = _kind(items[0] if isinstance(items, list) else items)
        return f"list of {each}"
    if kind == "object" and "patternProperties" in value:
        return f"`<name>`: {_kind(next(iter(value['patternProperties'].values())))}"
    if value.get("examples"):
        return "like " + ", ".join(f"`{example}`" for example in value["examples"][:3])
    return {"integer": "whole number", "boolean": "`true` or `false`", "string": "text"}.get(kind, kind)


def summary() -> str:
    """Every key of a summary, and the tables beside it."""
    parts = [
        "# The summary of a run",
        _MADE,
        "`summary.json` in a results directory, `drsim run --json FILE`; its JSON Schema is",
        "[schema/summary.json](schema/summary.json) (`drsim schema summary`). Units are in the names: `_s` seconds,",
        "`_bytes` bytes. What is undefined is null. `schema_version` is raised when a key goes or changes its meaning;",
        "a key that is new leaves it as it is. Only `wall_s` and `writes_per_wall_s` differ between two runs of one",
        "scenario and seed. The words are in [GLOSSARY.md](GLOSSARY.md).\n",
        "## The whole\n",
        *_keys(RUN),
    ]
    for name, keys in SECTIONS.items():
        parts += [f"## {_OBJECTS[name]}\n", *_keys(keys)]
    parts += [
        "## What expectations can be about\n",
        "A name, a dot and one of these words; `erp.lyon.lag.p99 <= 15 min`.\n",
        "| of | words |\n|---|---|",
        f"| a group's target | {_words(TARGET)} |",
        *(f"| a {name.removesuffix('s')} | {_words(keys)} |" for name, keys in EXPECTED.items()),
        "\n## Tables\n",
        "`tables/` holds Parquet files with what can be drawn. " + _sentences(inspect.getdoc(tabulate) or ""),
        "\n`images/…` says which image a failover would have found (`image`):\n",
        "| image | |\n|---|---|",
        *(f"| `{name}` | {words} |" for name, words in IMAGES.items()),
        "\n## Schemas of everything else\n",
        "| `drsim schema NAME` | of |\n|---|---|",
        *(f"| [`{name}`](schema/{name}.json) | {words} |" for name, words in NAMES.items()),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _sentences(text: str) -> str:
    """A docstring's paragraphs after the first line, as Markdown."""
    paragraphs = text.split("\n\n")[1:]
    return re.sub(r"`?``([^`]+)```?", r"`\1`", "\n\n".join(" ".join(p.split()) for p in paragraphs))


def _words(keys: Any) -> str:
    return ", ".join(f"`{word}`" for word in listed(keys))


def _keys(keys: list[Key]) -> Iterator[str]:
    yield "| key | value | |\n|---|---|---|"
    for key in keys:
        yield f"| `{key.name}` | {_schema_kind(key.value)} | {_cell(key.says)} |"
    yield ""


def _schema_kind(value: dict[str, Any]) -> str:
    if "$ref" in value or value.get("type") in ("object", "array"):
        return {"array": "list"}.get(str(value.get("type")), "object")
    kinds = value.get("type", "number")
    listed_kinds = kinds if isinstance(kinds, list) else [kinds]
    return "`1`" if "const" in value else " or ".join(listed_kinds)


if __name__ == "__main__":
    for path, text in documents().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)
