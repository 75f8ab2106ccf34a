"""A real file system made by mkfs on the source; fsck's word on what a failover finds at the target."""

import contextlib
import hashlib
import os
import random
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.agent.pair import copied, needs, pair, run, until

SIZE = 32 << 20


@contextlib.contextmanager
def as_file(folder: Path, socket: Path, export: str):
    """Give an export as a file, by nbdfuse; skip where FUSE is not to be had."""
    needs("nbdfuse", "umount")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("/dev/fuse cannot be used")
    folder.mkdir()
    uri = f"nbd+unix:///{export}?socket={socket}"
    process = subprocess.Popen(["nbdfuse", str(folder / "disk"), uri], stderr=subprocess.PIPE)
    try:
        for _ in range(200):
            if (folder / "disk").exists() or process.poll() is not None:
                break
            time.sleep(0.02)
        if process.poll() is not None:
            pytest.skip(f"FUSE does not mount here: {process.stderr.read()!r}")
        yield folder / "disk"
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stderr.close()


def debugfs(image: Path, command: str, *, write: bool = False) -> bytes:
    done = run("debugfs", *(["-w"] if write else []), "-R", command, str(image))
    return done.stdout


class Writer(threading.Thread):
    """Puts numbered files into the file system, one debugfs after another."""

    def __init__(self, disk: Path, scratch: Path) -> None:
        super().__init__(daemon=True)
        self.disk, self.scratch = disk, scratch
        self.done: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        rng = random.Random(4)
        number = 0
        while not self.over.is_set() and number < 60:
            name = f"file{number}"
            path = self.scratch / name
            path.write_bytes(rng.randbytes(rng.randrange(1, 60_000)))
            try:
                debugfs(self.disk, f"write {path} {name}", write=True)
            except (AssertionError, subprocess.TimeoutExpired):
                return  # the disk went away under it
            self.done.append(name)
            number += 1


def repaired(image: Path) -> None:
    """Have fsck mend what a crash leaves: 0 clean, 1 mended; anything else is a lost file system."""
    env = os.environ | {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    done = subprocess.run(
        ["e2fsck", "-fy", str(image)], capture_output=True, env=env, check=False, timeout=60
    )
    assert done.returncode in (0, 1), done.stdout.decode()
    again = subprocess.run(
        ["e2fsck", "-fn", str(image)], capture_output=True, env=env, check=False, timeout=60
    )
    assert again.returncode == 0, again.stdout.decode()


def holds(image: Path, scratch: Path, names: list[str]) -> None:
    """Each file is there with its content."""
    out = image.with_suffix(".out")
    for name in names:
        debugfs(image, f"dump {name} {out}")
        wanted, found = (hashlib.sha256(p.read_bytes()).hexdigest() for p in (scratch / name, out))
        assert found == wanted, name
        out.unlink()


def test_a_file_system_is_recoverable_after_failover_at_any_moment(tmp_path):
    needs("mkfs.ext4", "e2fsck", "debugfs", "nbdcopy")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    rng = random.Random(12)
    with pair(tmp_path, size=SIZE) as two:
        two.start()
        until(lambda: two.leg()["state"] == "STREAMING", what="seeded")
        with as_file(tmp_path / "mnt", two.socket("paris"), "erp/v") as disk:
            # Without metadata checksums: debugfs writes the superblock's fields and its checksum apart.
            run("mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "^metadata_csum", str(disk))
            two.settle()
            writer = Writer(disk, scratch)
            writer.start()
            for number in range(4):
                until(lambda n=number: len(writer.done) > n, 20, "files are being written")
                two.settle()
                safe = list(writer.done[:-1])
                time.sleep(rng.uniform(0, 0.3))
                two.ask("lyon", "rehearse", name=f"r{number}")
                image = tmp_path / f"r{number}.img"
                copied(two.uri("lyon", f"erp/v@r{number}"), image)
                two.ask("lyon", "drop", name=f"r{number}")
                repaired(image)
                holds(image, scratch, safe)
            two.kill("paris", "lyon")
            writer.over.set()
            writer.join(30)
        two.start("lyon")
        two.ask("lyon", "rehearse", name="disaster")
        image = tmp_path / "disaster.img"
        copied(two.uri("lyon", "erp/v@disaster"), image)
        repaired(image)
        holds(image, scratch, safe)
