"""One source, two targets: one journal on disk, each leg in its own state, nobody held up by the other."""

import hashlib
import time

from tests.agent.host import Host
from tests.agent.pair import BLOCK, Pair, copied, free_port, libnbd, needs, pair, until

BLOCKS = 256


class Trio(Pair):
    """A pair and a second target, nice."""

    def __init__(self, folder, group=""):
        super().__init__(folder, group, size=BLOCKS * BLOCK)
        self.ports["nice"] = free_port()
        self.states["nice"] = folder / "nice"
        line = f"  nice: {{address: 127.0.0.1:{self.ports['nice']}}}\n"
        text = (folder / "paris.yaml").read_text()
        text = text.replace("nbd:", line + "nbd:", 1).replace(
            "{lyon: {rpo: 5 s}}", "{lyon: {rpo: 5 s}, nice: {}}"
        )
        for site in self.ports:
            mine = text.replace("site: paris", f"site: {site}", 1).replace(
                str(self.states["paris"]), str(self.states[site])
            )
            (folder / f"{site}.yaml").write_text(mine.replace("paris.sock", f"{site}.sock"))

    def legs(self) -> dict:
        return self.status("paris")["targets"]

    def all_settled(self) -> bool:
        status = self.status("paris")
        return all(
            leg["state"] == "STREAMING" and leg["confirmed"] == status["last"]
            for leg in status["targets"].values()
        )


def target_hash(three, site: str) -> str:
    answer = three.ask(site, "rehearse", name="check")
    assert "error" not in answer
    return copied(three.uri(site, "erp/v@check"), three.folder / f"{site}.img")


def test_each_target_gets_everything_whatever_befalls_the_other(tmp_path):
    needs("nbdcopy")
    libnbd()
    # Nice's death overflows the journal for nice alone; lyon goes on in order.
    with pair(tmp_path, made=Trio(tmp_path, "journal: {size: 512 KB, on_full: track}")) as three:
        three.start()
        until(lambda: all(leg["state"] == "STREAMING" for leg in three.legs().values()), what="both seeded")
        host = Host(BLOCKS, 31)
        host.start(three.uri())
        until(lambda: host.acknowledged > 100, what="load")
        three.kill("nice")
        until(lambda: three.legs()["nice"]["state"] == "TRACKING", what="nice is given up in order")
        assert three.legs()["lyon"]["state"] == "STREAMING"
        before = three.legs()["lyon"]["confirmed"]
        until(lambda: three.legs()["lyon"]["confirmed"] > before, what="lyon goes on")
        three.start("nice")
        time.sleep(0.3)
        three.kill("paris")
        host.stop()
        three.start("paris")
        host.survived(host.reach(source_image(three)))
        host.start(three.uri())
        until(lambda: len(host.history) > before + 500, what="load again")
        host.stop()
        until(three.all_settled, 30, what="both have caught up")
        source = hashlib.sha256(source_image(three)).hexdigest()
        assert target_hash(three, "lyon") == target_hash(three, "nice") == source
        three.stop()
        assert three.image("paris") == three.image("lyon") == three.image("nice")


def test_a_group_of_two_volumes_has_one_order(tmp_path):
    """What is written to one volume after the other is never at the target without it."""
    needs("nbdcopy")
    nbd = libnbd()
    made = Pair(tmp_path, size=BLOCKS * BLOCK)
    for site in ("paris", "lyon"):
        path = tmp_path / f"{site}.yaml"
        path.write_text(path.read_text().replace("{v:", f"{{w: {BLOCKS * BLOCK} B, v:"))
    with pair(tmp_path, made=made) as two:
        two.start()
        until(lambda: two.leg()["state"] == "STREAMING", what="seeded")
        first, second = nbd.NBD(), nbd.NBD()
        first.connect_uri(two.uri(export="erp/v"))
        second.connect_uri(two.uri(export="erp/w"))
        seen = []
        for number in range(1, 400):
            for handle in (first, second):  # v before w, always
                handle.pwrite(number.to_bytes(8, "little") * (BLOCK // 8), 0)
            if number % 100 == 0:
                assert "error" not in two.ask("lyon", "rehearse", name=f"r{number}")
                for volume in ("v", "w"):
                    copied(two.uri("lyon", f"erp/{volume}@r{number}"), tmp_path / "x.img")
                    seen.append(int.from_bytes((tmp_path / "x.img").read_bytes()[:8], "little"))
        for handle in (first, second):
            handle.shutdown()
        assert len(seen) == 6
        assert all(w <= v <= w + 1 for v, w in zip(seen[::2], seen[1::2], strict=True))
        assert seen[-1] > 0


def source_image(three) -> bytes:
    copied(three.uri(), three.folder / "source.img")
    return (three.folder / "source.img").read_bytes()
