"""The HTML report: self-contained, escaped, the same text twice, and it opens in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from drsim.report.html import html
from drsim.report.source import Source

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
]
EVIL = "</script><script>alert(1)</script> & \"quotes\" 'single' $x$"


class Reader(HTMLParser):
    """Collects tags, ids, and every address an element would load."""

    def __init__(self):
        super().__init__()
        self.tags, self.ids, self.loads, self.text, self.open = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in {"meta", "link", "br", "use", "path", "rect", "image"}:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in {"src", "href", "xlink:href", "srcset", "data", "action"}:
                self.loads.append(value)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"style"}:
            self.text.append(data)


def read(document):
    reader = Reader()
    reader.feed(document)
    reader.close()
    return reader


@pytest.fixture(scope="module")
def document(week):
    return html(week)


def test_the_same_results_give_the_same_document(week, document):
    assert html(week) == document


def test_nothing_is_loaded_from_anywhere(document):
    reader = read(document)
    assert all(address.startswith(("#", "data:")) for address in reader.loads), reader.loads
    assert "script" not in reader.tags
    assert not re.search(r"@import|url\((?!#)", document)
    assert "Content-Security-Policy" in document


def test_ids_are_unique_and_every_reference_is_met(document):
    reader = read(document)
    assert len(reader.ids) == len(set(reader.ids))
    wanted = {a[1:] for a in reader.loads if a.startswith("#")} | set(
        re.findall(r"url\(#([^)]+)\)", document)
    )
    assert wanted <= set(reader.ids)


def test_verdict_tables_assumptions_warnings_scenario_and_versions_are_there(document):
    text = " ".join(read(document).text)
    for wanted in (
        "2 of 3 expectations failed",
        "erp.lyon.lag.p99 <= 15 min",
        "files & <shares> → paris",
        "availability is assumed perfect",
        "Links paris-lyon, lyon-nice: 70 % of the nominal rate carries data",
        "title: Three business-continuity sites",
        "links.paris-lyon.rate=45 Mb/s",
        "numpy 2.4.6",
        "seed 7",
        "9f3ac01b77de",
        "Causes",
    ):
        assert wanted in text, wanted
    assert document.count("<figure") == 6
    assert document.count('role="img"') == 6


def evil(tiny):
    source = tiny(name=EVIL, target=EVIL, writes=[(1.0, 90.0)])
    summary = {
        **source.summary,
        "scenario": EVIL,
        "expectations": [{"expect": EVIL, "value": None, "passed": False}],
        "links": {EVIL: {"utilisation": None, "carried_bytes": 0, "down_s": 1.0}},
        "hosts": {EVIL: {"writes": 0, "write_latency_mean_s": None}},
    }
    facts = {
        "scenario_text": EVIL,
        "warnings": [EVIL],
        "assumptions": [EVIL],
        "overrides": [EVIL],
        "versions": {EVIL: EVIL},
        "key": EVIL,
        "scenario_data": {
            "title": EVIL,
            "sites": {EVIL: {}, "b": {}},
            "links": {EVIL: {"between": [EVIL, "b"], "type": EVIL}},
            "groups": {EVIL: {"source": "b"}},
        },
    }
    return Source(summary, source.tables, facts)


def test_every_name_is_escaped(tiny):
    document = html(evil(tiny))
    reader = read(document)
    assert "script" not in reader.tags
    assert "<script" not in document.lower()
    assert sum(EVIL in part for part in reader.text) >= 8


@pytest.mark.parametrize(
    "odd", [{}, {"rpo": None, "writes": [(1.0, 2.0)]}, {"exposed": [(0.0, 100.0)]}, {"duration": 0.0}]
)
def test_odd_runs_have_a_report_too(tiny, odd):
    document = html(tiny(**odd))
    assert "What the numbers mean" in document
    assert "None" not in " ".join(read(document).text)
    assert "nan" not in " ".join(read(document).text)


def test_a_report_without_any_table_of_columns(week):
    document = html(Source(week.summary))
    assert "2 of 3 expectations failed" in document


PROBE = """<script>
addEventListener("load", () => setTimeout(() => {
  const wide = [...document.querySelectorAll("main *")].filter(e =>
    !e.closest(".wide") && !e.closest("svg") && !e.closest("pre") &&
    e.getBoundingClientRect().right > document.documentElement.clientWidth + 1);
  const figures = [...document.querySelectorAll("figure svg")].map(s => s.getBoundingClientRect());
  const out = { wide: wide.map(e => e.tagName + "." + e.className),
    scroll: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    width: document.documentElement.clientWidth,
    small: figures.filter(r => r.width < 200 || r.height < 40).length, figures: figures.length,
    loaded: performance.getEntriesByType("resource").map(e => e.name),
    background: getComputedStyle(document.body).backgroundColor };
  document.documentElement.setAttribute("data-probe", JSON.stringify(out));
}, 50));
</script></main>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (500, True)])
def test_it_opens_in_a_browser(document, tmp_path, width, dark):
    import json

    page = tmp_path / "report.html"
    # a probe is put in for this test only, and the policy that forbids scripts is taken out for it
    probed = re.sub(r"<meta http-equiv[^>]*>", "", document).replace("</main>", PROBE)
    page.write_text(probed, encoding="utf-8")
    done = chromium(
        tmp_path, page, f"--window-size={width},2000", "--virtual-time-budget=3000", "--dump-dom", dark=dark
    )
    found = re.search(r'data-probe="([^"]*)"', done.stdout)
    assert found, done.stderr[-2000:]
    probe = json.loads(found.group(1).replace("&quot;", '"').replace("&amp;", "&"))
    assert probe["wide"] == []
    assert probe["scroll"] <= 0
    assert probe["small"] == 0
    assert probe["figures"] == 6
    assert probe["loaded"] == []
    assert "CONSOLE" not in done.stderr
    shade = sum(map(int, re.findall(r"\d+", probe["background"])[:3]))
    assert shade < 200 if dark else shade > 600


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_the_shipped_document_draws_without_a_complaint(document, tmp_path):
    page = tmp_path / "report.html"
    page.write_text(document, encoding="utf-8")
    shot = tmp_path / "shot.png"
    done = chromium(tmp_path, page, "--window-size=1280,1500", f"--screenshot={shot}")
    assert shot.stat().st_size > 50_000
    assert "CONSOLE" not in done.stderr
    printed = tmp_path / "report.pdf"
    chromium(tmp_path, page, f"--print-to-pdf={printed}")
    assert printed.read_bytes()[:5] == b"%PDF-"


def chromium(tmp_path: Path, page: Path, *more: str, dark: bool = False):
    scheme = (
        ["--blink-settings=preferredColorScheme=0"] if dark else ["--blink-settings=preferredColorScheme=1"]
    )
    return subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *scheme, *more, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
