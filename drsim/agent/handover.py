"""A site changes its role in a group: the files of one role become those of the other, whatever crashes in between.

Which role a site has is a mark of its own, written last: until then everything is as before and the change
is made again from the start.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from drsim.agent import revive
from drsim.agent.config import Config
from drsim.agent.disk import sync_directory
from drsim.agent.legfiles import LegFiles, load_header, save_header
from drsim.agent.marks import Marks
from drsim.agent.stores import SourceStore, TargetStore
from drsim.blocks.bitmap import Bitmap
from drsim.replication.handover import step_down
from drsim.replication.headers import SourceHeader, TargetHeader

SOURCE, TARGET = "source", "target"


def role(config: Config, name: str) -> str | None:
    """Give this site's present role in a group: its own mark if it has one, else what the file says."""
    group = config.groups[name]
    if config.site not in group.sites:
        return None
    first = SOURCE if group.source == config.site else TARGET
    marked: str | None = _marks(config, name).get("role")
    return marked or first


def _marks(config: Config, name: str) -> Marks:
    (config.state / name).mkdir(parents=True, exist_ok=True)
    return Marks(config.state / name / "role")


def to_source(config: Config, name: str) -> int:
    """Make a promoted target's files a source's; give the seq after which the order goes on.

    Raises:
        ValueError: the site was not promoted.
    """
    folder, group = config.state / name, config.groups[name]
    target = TargetStore.open(folder, group)
    header = load_header(TargetHeader, target.marks)
    target.close()
    if header is None or not header.promoted:
        raise ValueError("only a promoted site may become a source")
    boot = _highest_boot(folder)
    shutil.rmtree(folder / "legs", ignore_errors=True)
    sizes = [volume.size for volume in group.volumes.values()]
    whole = (
        header.complete
    )  # Else what the old source counts on and the promotion left out is known to nobody.
    for site in group.others(config.site):
        files = LegFiles(folder / "legs" / site, sizes, group.resync.granularity, dirty=not whole)
        files.save_header(SourceHeader(header.lineage, boot, whole, header.applied, header.applied, True))
        files.close()
    sync_directory(folder / "legs")
    _begin_order(folder, config, name, header.applied)
    _marks(config, name).put(role=SOURCE)
    return header.applied


def _highest_boot(folder: Path) -> int:
    """Sessions of another life of this site as a source must not share a number with the coming ones."""
    headers = [load_header(SourceHeader, Marks(path)) for path in folder.glob("legs/*/header")]
    return max((header.boot for header in headers if header), default=0)


def _begin_order(folder: Path, config: Config, name: str, seq: int) -> None:
    """Start an empty journal after ``seq``."""
    shutil.rmtree(folder / "journal", ignore_errors=True)
    (folder / "applied-source").unlink(missing_ok=True)
    (folder / "cache").unlink(missing_ok=True)
    Marks(folder / "marks").put(redo=seq)
    store = SourceStore.open(folder, config.groups[name])
    store.journal.restart(seq + 1)
    store.close()


def to_target(config: Config, name: str) -> int:
    """Make a source's files a target's; give the bytes in which it may differ from its successor."""
    folder, group = config.state / name, config.groups[name]
    store = SourceStore.open(folder, group)
    dirt, last, lineage = Bitmap(group.resync.granularity), 0, None
    settings = {site: revive.source_settings(config, name, site) for site in group.others(config.site)}
    files = {site: revive.open_leg(store, settings[site], site) for site in settings}
    last = revive.last_used(store, list(files.values()))
    for site, leg_settings in settings.items():
        engine = revive.source_engine(leg_settings, store, files[site], last)
        old = step_down(engine, revive.target_settings(config, name))
        dirt.mark(old.leg.dirt.extents())
        lineage = lineage or old.leg.lineage
        files[site].close()
    store.close()
    _keep_dirt(folder, config, name, dirt)
    (folder / "cache").unlink(missing_ok=True)  # what is left in it never had a place in the order
    shutil.rmtree(folder / "staging", ignore_errors=True)
    (folder / "applied").unlink(missing_ok=True)
    assert lineage is not None
    header = TargetHeader(lineage, last, base=last if dirt else None, retired=True)
    save_header(Marks(folder / "target"), header)
    _marks(config, name).put(role=TARGET)
    return dirt.nbytes


def _dirt(folder: Path, config: Config, name: str) -> LegFiles:
    group = config.groups[name]
    sizes = [volume.size for volume in group.volumes.values()]
    return LegFiles(folder / "dirt", sizes, group.resync.granularity)


def _keep_dirt(folder: Path, config: Config, name: str, dirt: Bitmap) -> None:
    forget_dirt(folder)
    files = _dirt(folder, config, name)
    files.mark(dirt.extents(), dirty=True)
    files.close()
    sync_directory(folder)


def kept_dirt(folder: Path, config: Config, name: str) -> Bitmap:
    """Give where a stepped-down source may differ from its successor, as long as that matters."""
    found = Bitmap(config.groups[name].resync.granularity)
    if (folder / "dirt").exists():
        files = _dirt(folder, config, name)
        found.mark(files.dirty())
        files.close()
    return found


def forget_dirt(folder: Path) -> None:
    """The differences are mended."""
    shutil.rmtree(folder / "dirt", ignore_errors=True)
