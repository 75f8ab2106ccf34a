"""JUnit XML: one test case for each expectation, one suite for each run, as CI systems read it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from drsim.report import values
from drsim.report.findings import verdict
from drsim.report.source import Source

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(runs: Sequence[tuple[str, Mapping[str, Any] | None, str]]) -> bytes:
    """Give the report of one run, or of all points of a sweep.

    Args:
        runs: for each run its name, its summary, and an error text; a run that broke has no summary.
    """
    root = ET.Element("testsuites", name="drsim")
    for name, summary, error in runs:
        root.append(_suite(name, summary, error))
    for what in ("tests", "failures", "errors"):
        root.set(what, str(sum(int(suite.get(what, "0")) for suite in root)))
    ET.indent(root)
    body: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def _suite(name: str, summary: Mapping[str, Any] | None, error: str) -> ET.Element:
    suite = ET.Element("testsuite", name=_text(name))
    scenario = str(summary["scenario"]) if summary is not None else name
    expectations = (summary.get("expectations") or []) if summary is not None else []
    for each in expectations:
        _case(suite, scenario, each)
    if summary is None:
        case = ET.SubElement(suite, "testcase", classname=_text(scenario), name="the run completes", time="0")
        broken = ET.SubElement(
            case, "error", message=_text(error.strip().splitlines()[-1] if error.strip() else "")
        )
        broken.text = _text(error)
    elif not expectations:
        ET.SubElement(suite, "testcase", classname=_text(scenario), name="the run completes", time="0")
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(sum(1 for each in expectations if not each["passed"])))
    suite.set("errors", "1" if summary is None else "0")
    wall = summary.get("wall_s") if summary is not None else None
    suite.set("time", f"{wall or 0.0:.3f}")
    if summary is not None:
        ET.SubElement(suite, "system-out").text = _text(verdict(Source(summary))[1])
    return suite


def _case(suite: ET.Element, scenario: str, each: Mapping[str, Any]) -> None:
    expect = str(each["expect"])
    case = ET.SubElement(suite, "testcase", classname=_text(scenario), name=_text(expect), time="0")
    if not each["passed"]:
        message = f"expected {expect}, but it is {values.expected(expect, each['value'])}"
        failure = ET.SubElement(case, "failure", type="ExpectationFailed", message=_text(message))
        failure.text = _text(f"{message} ({each['value']!r})")


def _text(text: str) -> str:
    """XML has no place for most control characters: they become question marks."""
    return _NOT_XML.sub("?", text)
