"""Configurations: the good one is read, each bad one is refused with its line and what to do."""

import pytest

from drsim.agent.load import load
from drsim.scenario.problem import ScenarioError

GOOD = """\
drsim_agent: 1
site: paris
state: state
sites:
  paris: {address: 10.0.0.1:7010, listen: 0.0.0.0:7010}
  lyon: {address: "[fd00::2]:7010"}
tls: {certificate: paris.crt, key: paris.key, authority: sites.crt}
nbd: {socket: nbd.sock, memory: 32 MiB}
link: {heartbeat: 1 s, dead: 5 s}
metrics: 127.0.0.1:9100
groups:
  erp:
    source: paris
    volumes: {log: 1 GiB, tables: {size: 2 GiB, file: /srv/tables.img}}
    targets: {lyon: {rpo: 15 min}}
    mode: journal
    journal: {size: 100 MB, on_full: block, resident: 16 MiB}
"""


def refused(folder, text: str) -> str:
    (folder / "agent.yaml").write_text(text)
    with pytest.raises(ScenarioError) as error:
        load(folder / "agent.yaml")
    return error.value.render().replace(f"{folder}/", "")


def test_a_good_one_is_read_with_units_and_paths(tmp_path):
    (tmp_path / "agent.yaml").write_text(GOOD)
    config = load(tmp_path / "agent.yaml")
    assert config.nbd.socket == tmp_path / "nbd.sock"
    assert config.state == tmp_path / "state"
    assert config.sites["lyon"].address.pair == ("fd00::2", 7010)
    assert config.sites["paris"].bind.pair == ("0.0.0.0", 7010)
    erp = config.groups["erp"]
    assert erp.volumes["log"].size == 1 << 30
    assert str(erp.volumes["tables"].file) == "/srv/tables.img"
    assert erp.targets["lyon"].rpo == 900
    assert erp.journal.resident == 16 << 20
    assert config.keys.certificate == tmp_path / "paris.crt"
    assert load(tmp_path / "agent.yaml", "lyon").site == "lyon"


BAD = {
    "cache": ("mode: journal", "cache: 64 KiB", "a cache of less than 1 MiB keeps hosts waiting"),
    "promise": (
        "mode: journal\n    journal: {size: 100 MB, on_full: block",
        "cache: 8 MiB\n    journal: {size: 100 MB, on_full: fail",
        "cannot be refused by 'on_full: fail'",
    ),
    "unit": ("size: 100 MB", "size: 100", "agent.yaml:17:21: error: groups.erp.journal.size:"),
    "key": ("nbd: {socket", "nbd: {sock", "agent.yaml:8:7: error: nbd.sock: unknown key 'sock'"),
    "site": ("site: paris", "site: pairs", "agent.yaml:2:7: error: site: 'pairs' is not one of the sites"),
    "target": ("{lyon: {rpo", "{lion: {rpo", "there is no site 'lion'"),
    "itself": ("{lyon: {rpo", "{paris: {rpo", "a group cannot be its own target"),
    "blocks": ("log: 1 GiB", "log: 1000 KB", "no whole number of 4 KiB blocks"),
    "address": ("10.0.0.1:7010,", "10.0.0.1,", "'10.0.0.1' is not an address"),
    "policy": ("on_full: block", "on_full: blok", "agent.yaml:17:38: error: groups.erp.journal.on_full"),
    "heartbeat": ("dead: 5 s", "dead: 1 s", "'dead' is less than two heartbeats"),
    "version": ("drsim_agent: 1", "drsim_agent: 2", "agent.yaml:1:14: error: drsim_agent:"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_one_is_refused_at_its_place(tmp_path, name):
    old, new, said = BAD[name]
    assert old in GOOD
    text = refused(tmp_path, GOOD.replace(old, new, 1))
    assert said in text
    assert "^" in text


def test_without_tls_only_loopback_is_allowed(tmp_path):
    naked = "\n".join(line for line in GOOD.splitlines() if not line.startswith("tls"))
    text = refused(tmp_path, naked)
    assert "agent.yaml:5:20: error: sites.paris.address: beyond loopback, agents need TLS" in text
    assert text.endswith("2 errors")
    (tmp_path / "agent.yaml").write_text(naked + "\ninsecure: true\n")
    assert load(tmp_path / "agent.yaml").insecure
    (tmp_path / "agent.yaml").write_text(
        naked.replace("10.0.0.1", "127.0.0.1").replace("0.0.0.0", "127.0.0.1").replace("fd00::2", "::1")
    )
    assert load(tmp_path / "agent.yaml").tls is None


def test_nbd_over_tcp_is_for_loopback(tmp_path):
    assert "NBD in clear" in refused(tmp_path, GOOD.replace("nbd: {", "nbd: {listen: 0.0.0.0:10809, "))


def test_everything_wrong_is_said_at_once(tmp_path):
    text = refused(tmp_path, GOOD.replace("site: paris", "site: x", 1).replace("lyon: {rpo", "nice: {rpo"))
    assert text.endswith("2 errors")


def test_an_absent_file_is_a_message(tmp_path):
    with pytest.raises(ScenarioError, match="No such file"):
        load(tmp_path / "none.yaml")
