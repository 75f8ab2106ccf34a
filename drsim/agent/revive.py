"""Engines out of files: a new group's, or one that goes on after a crash with what was durable."""

from __future__ import annotations

from dataclasses import replace

from drsim.agent.config import Config, Group
from drsim.agent.legfiles import LegFiles, load_header, save_header
from drsim.agent.logs import log
from drsim.agent.stores import SourceStore, TargetStore
from drsim.blocks.extents import Extents, of, written
from drsim.replication.headers import SourceHeader, TargetHeader
from drsim.replication.recovery import recover_target
from drsim.replication.settings import SourceSettings, TargetSettings
from drsim.replication.source import SourceEngine
from drsim.replication.states import Source
from drsim.replication.target import TargetEngine


def source_settings(config: Config, name: str, target: str) -> SourceSettings:
    """Give the settings of one leg."""
    group = config.groups[name]
    return SourceSettings(
        group=name,
        volumes=tuple(volume.size for volume in group.volumes.values()),
        mode=group.mode,
        on_full=group.journal.on_full,
        size=group.journal.size,
        resident=group.journal.resident,
        window=config.link.window,
        resync=group.resync,
        in_sync=group.targets[target].seed == "in-sync",
        origin=_origin(group, group.source),
    )


def target_settings(config: Config, name: str) -> TargetSettings:
    """Give the settings of this site's end of a group."""
    group = config.groups[name]
    mine = group.targets[config.site]
    return TargetSettings(name, group.resync.protect, mine.seed == "in-sync", _origin(group, config.site))


def _origin(group: Group, site: str) -> int:
    return group.sites.index(site) + 1


def open_leg(store: SourceStore, settings: SourceSettings, target: str) -> LegFiles:
    """Open a leg's files; a new leg that must be seeded starts with every bit set."""
    folder = store.folder / "legs" / target
    return LegFiles(folder, list(settings.volumes), settings.granularity, dirty=not settings.in_sync)


def last_used(store: SourceStore, legs: list[LegFiles]) -> int:
    """Give the highest place of a group's order that may be in use."""
    headers = [files.header() for files in legs]
    return max([store.journal.last, int(store.marks.get("redo", 0)), *(h.last for h in headers if h)])


def source_engine(settings: SourceSettings, store: SourceStore, files: LegFiles, last: int) -> SourceEngine:
    """Make a leg's engine as its files say.

    With order kept, the journal's files say what the target may lack. With order lost, the bitmap does,
    together with whatever the journal holds.
    """
    engine = SourceEngine(settings)
    leg, header = engine.leg, files.header() or SourceHeader(ordered=settings.in_sync)
    leg.lineage, leg.boot = header.lineage, header.boot + 1
    leg.session = leg.boot << 32
    files.save_header(
        SourceHeader(header.lineage, leg.boot, header.ordered, max(last, header.last), header.confirmed)
    )
    leg.last = leg.durable = leg.acknowledged = last
    if header.ordered and not store.journal.damage:
        leg.state = Source.BUFFERING
        leg.journal.restart(store.journal.first - 1)
        for batch in store.journal.walk(store.journal.first):
            if batch.first != leg.journal.last + 1:  # before the gap order was lost, and since regained
                leg.journal.restart(batch.first - 1)
            leg.journal.append(batch)
            leg.journal.evict(last)
        if leg.journal.last != last:
            leg.journal.restart(last)
        leg.confirmed = min(max(header.confirmed, leg.journal.trimmed), last)
        leg.journal.trim(leg.confirmed)
        return engine
    leg.confirmed = min(header.confirmed, last)
    _track(engine, store, files, last)
    return engine


def _track(engine: SourceEngine, store: SourceStore, files: LegFiles, last: int) -> None:
    """Go on with order lost: by the bitmap, what the journal holds, and what damage may have hidden."""
    leg = engine.leg
    leg.state = Source.TRACKING
    leg.journal.restart(last)
    leg.dirty.mark(files.dirty())
    for batch in store.journal.walk(store.journal.first, skip=True):
        leg.dirty.mark(written(batch))
    for damage in store.journal.damage:
        leg.dirty.mark(
            written(damage.batch) if damage.batch is not None else everything(leg.settings.volumes)
        )
    files.mark(leg.dirty.extents(), dirty=True)
    header = SourceHeader(leg.lineage, leg.boot, ordered=False, last=last, confirmed=leg.confirmed)
    files.save_header(header)


def everything(sizes: tuple[int, ...]) -> Extents:
    """Give whole volumes as extents."""
    return of(list(range(len(sizes))), [0] * len(sizes), list(sizes))


def target_engine(settings: TargetSettings, store: TargetStore) -> TargetEngine:
    """Make a target's engine as its files say, with everything that was staged on the volumes.

    Staging that is damaged beyond what the volumes hold has lost writes that the source was told are
    safe: the image is then no image, and says so.
    """
    header = load_header(TargetHeader, store.marks) or TargetHeader(base=None if settings.in_sync else 0)
    if header.open is not None:  # a cycle that was not complete is no image
        store.staging.cut(header.open)
    held = max(header.applied, min(store.applied.value, store.staging.last))
    lost = [d for d in store.staging.damage if d.record is None or d.record.last > held]
    for batch in store.staging.walk(held + 1, skip=True):
        store.volumes.apply(batch)
        held = batch.last
    store.volumes.sync()
    if lost:
        log.error("staging damaged", extra={"where": str(lost[0])})
        header = replace(header, applied=held, open=None, base=held, end=None)
        store.staging.restart(held + 1)
    header = replace(header, applied=held, open=None)
    save_header(store.marks, header)
    return recover_target(settings, header, applied=held)
