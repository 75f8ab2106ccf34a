"""Changes of role for real: failover after a disaster, the way back by delta, split brain, rehearsal beside it."""

import hashlib
import random
import signal

from tests.agent.host import Host
from tests.agent.pair import BLOCK, copied, libnbd, needs, pair, until

BLOCKS = 256  # the host's; the volume is eight times as large
SIZE = 8 * BLOCKS * BLOCK


def image(two, site: str, name: str = "seen.img") -> bytes:
    copied(two.uri(site), two.folder / name)
    return (two.folder / name).read_bytes()


def started(folder, group=""):
    needs("nbdcopy")
    libnbd()
    return pair(folder, group, size=SIZE)


def leg(two, site: str, other: str) -> dict:
    return two.status(site)["targets"][other]


def settled(two, site: str, other: str) -> bool:
    status = two.status(site)
    found = status["targets"][other]
    return found["state"] == "STREAMING" and found["confirmed"] == status["last"]


def test_failover_loses_only_what_was_not_confirmed_and_failback_copies_only_the_delta(tmp_path):
    host = Host(BLOCKS, 21)
    with started(tmp_path) as two:
        volume = two.states["paris"] / "erp/volumes/v.img"
        volume.parent.mkdir(parents=True)
        volume.write_bytes(bytes(SIZE // 8) + random.Random(21).randbytes(SIZE - SIZE // 8))
        two.start()
        until(lambda: two.leg()["state"] == "STREAMING", what="seeded")
        host.start(two.uri())
        until(lambda: host.acknowledged > 200, what="load")
        confirmed = two.leg()["confirmed"]
        two.kill("paris")  # the disaster
        host.stop()
        answer = two.ask("lyon", "promote")
        assert "error" not in answer
        assert answer["seq"] >= confirmed
        assert two.status("lyon")["role"] == "source"
        s = host.reach(image(two, "lyon"))
        assert s >= confirmed
        # Lyon's hosts go on; what was lost with paris stays lost.
        host.acknowledged = min(host.acknowledged, s)
        host.survived(s)
        host.start(two.uri("lyon"))
        until(lambda: host.acknowledged > s + 100, what="load at lyon")
        # Paris comes back as it was: a source whom nobody follows, until it is told to step down.
        two.start("paris")
        assert two.status("paris")["role"] == "source"
        assert leg(two, "paris", "lyon")["state"] in ("BUFFERING", "TRACKING")
        answer = two.ask("paris", "demote")
        assert "error" not in answer
        assert answer["differs_bytes"] <= SIZE // 8
        until(lambda: two.status("lyon")["targets"]["paris"]["state"] == "STREAMING", what="paris follows")
        host.stop()
        until(lambda: settled(two, "lyon", "paris"), what="paris has caught up")
        copy = leg(two, "lyon", "paris")  # begun again, and counted again, if the link was lost meanwhile
        assert copy["resync_bytes"] <= copy["resyncs"] * SIZE // 8, "only the delta was copied"
        source = image(two, "lyon")
        host.reach(source)
        # And back again, planned: nothing is lost.
        assert "error" not in two.ask("lyon", "demote")
        assert "error" not in two.ask("paris", "promote")
        assert image(two, "paris") == source
        until(lambda: settled(two, "paris", "lyon"), what="lyon follows again")
        host.survived(host.reach(source))
        host.start(two.uri())
        until(lambda: len(host.history) > s + 400, what="load at paris")
        host.stop()
        until(lambda: settled(two, "paris", "lyon"), what="lyon has caught up")
        two.stop()
        assert two.image("paris") == two.image("lyon")


def test_a_takeover_and_a_stepping_down_survive_kills(tmp_path):
    """The roles are found again after kill -9, and a copy in progress goes on."""
    host = Host(BLOCKS, 22)
    with started(tmp_path) as two:
        two.start()
        until(lambda: two.leg()["state"] == "STREAMING", what="seeded")
        host.start(two.uri())
        until(lambda: host.acknowledged > 100, what="load")
        two.processes["lyon"].send_signal(signal.SIGSTOP)
        until(lambda: host.acknowledged > 150, what="writes that lyon has not confirmed")
        two.kill("paris")
        two.processes["lyon"].send_signal(signal.SIGCONT)
        host.stop()
        two.ask("lyon", "promote")
        two.kill("lyon")
        two.start("lyon")
        assert two.status("lyon")["role"] == "source"
        before = image(two, "lyon")
        two.kill("lyon")
        two.start("paris")
        differs = two.ask("paris", "demote")["differs_bytes"]
        two.kill("paris")
        two.start("paris")
        assert two.status("paris")["role"] == "target"
        assert two.ask("paris", "promote").get("error"), "what may differ is no image to take over"
        two.start("lyon")
        until(lambda: settled(two, "lyon", "paris"), what="paris follows")
        assert differs
        assert leg(two, "lyon", "paris")["resyncs"] >= 1
        two.stop()
        assert two.image("paris") == two.image("lyon") == before


def test_two_sources_never_touch_each_other(tmp_path):
    with started(tmp_path) as two:
        two.start()
        until(lambda: two.leg()["state"] == "STREAMING", what="seeded")
        host = Host(BLOCKS, 23)
        host.start(two.uri())
        until(lambda: host.acknowledged > 50, what="load")
        assert "error" not in two.ask("lyon", "promote")
        until(lambda: two.leg()["state"] != "STREAMING", what="paris is on its own")
        host.stop()
        taken = image(two, "lyon")
        assert two.status("paris")["role"] == two.status("lyon")["role"] == "source"
        assert image(two, "lyon") == taken
        answer = two.ask("lyon", "promote")
        assert "no copy" in answer["error"]
        assert "not the source" in two.ask("paris", "demote").get("error", "not the source")


def test_a_rehearsal_sees_the_past_while_replication_goes_on(tmp_path):
    host = Host(BLOCKS, 24)
    with started(tmp_path) as two:
        two.start()
        until(lambda: two.leg()["state"] == "STREAMING", what="seeded")
        host.start(two.uri())
        until(lambda: host.acknowledged > 100, what="load")
        answer = two.ask("lyon", "rehearse", name="drill")
        assert answer["exports"] == ["erp/v@drill"]
        first = copied(two.uri("lyon", "erp/v@drill"), tmp_path / "a.img")
        seen = two.leg()["confirmed"]
        until(lambda: two.leg()["confirmed"] > seen + 200, what="replication goes on")
        assert copied(two.uri("lyon", "erp/v@drill"), tmp_path / "b.img") == first
        s = host.reach((tmp_path / "b.img").read_bytes())
        assert s == answer["seq"]
        host.stop()
        two.settle()
        assert two.status("lyon")["snapshots"] == {"drill": answer["seq"]}
        two.kill("lyon")
        two.start("lyon")
        assert two.status("lyon")["snapshots"] == {"drill": answer["seq"]}
        two.ask("lyon", "drop", name="drill")
        assert two.status("lyon")["snapshots"] == {}
        two.settle()
        two.stop()
        assert hashlib.sha256(two.image("paris")).digest() == hashlib.sha256(two.image("lyon")).digest()
