"""Engines out of files: a new group's, or one that goes on after a crash with what was durable."""

from __future__ import annotations

from dataclasses import replace

from drsim.agent.config import Config, Group
from drsim.agent.journal import Journal
from drsim.agent.legfiles import LegFiles, load_header, save_header
from drsim.agent.logs import log
from drsim.agent.records import DamagedError
from drsim.agent.stores import SourceStore, TargetStore
from drsim.blocks.batch import WriteBatch
from drsim.blocks.extents import Extents, join, of, written
from drsim.replication.headers import TargetHeader
from drsim.replication.recovery import SavedSource, recover_source, recover_target
from drsim.replication.settings import SourceSettings, TargetSettings
from drsim.replication.source import SourceEngine
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
        in_sync=group.target(target).seed == "in-sync",
        akin=any(each.seed == "in-sync" for each in group.targets.values()),
        origin=_origin(group, config.site),
    )


def target_settings(config: Config, name: str) -> TargetSettings:
    """Give the settings of this site's end of a group."""
    group = config.groups[name]
    mine = group.target(config.site)
    return TargetSettings(
        group=name,
        volumes=tuple(volume.size for volume in group.volumes.values()),
        protect=group.resync.protect,
        in_sync=mine.seed == "in-sync",
        origin=_origin(group, config.site),
        size=mine.staging.size,
        resident=mine.staging.resident,
        history=mine.history,
    )


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
    """Make a leg's engine: a new one, or one that goes on with what its files say."""
    header = files.header()
    if header is None:
        return SourceEngine(settings)
    dirty = files.dirty()
    journal: list[WriteBatch] = []
    if store.journal.damage:
        header = replace(header, ordered=False)
        dirty = join([dirty, *(_hidden(damage, settings.volumes) for damage in store.journal.damage)])
        files.mark(dirty, dirty=True)
        journal = list(store.journal.walk(store.journal.first, skip=True))
    elif header.ordered:
        journal = _unbroken(store.journal, last)
    else:
        journal = list(store.journal.walk(header.last + 1))  # what came before is in the bitmap
    return recover_source(settings, SavedSource(header, journal, last, dirty, files.activity()))


def _hidden(damage: DamagedError, sizes: tuple[int, ...]) -> Extents:
    """Give what a damaged record may have written: its blocks if they are known, else everything."""
    if damage.batch is not None:
        return written(damage.batch)
    return of(list(range(len(sizes))), [0] * len(sizes), list(sizes))


def _unbroken(journal: Journal, last: int) -> list[WriteBatch]:
    """Give the records up to ``last`` that follow on: before a gap order was lost, and since regained."""
    found: list[WriteBatch] = []
    for batch in journal.walk(journal.first):
        if found and batch.first != found[-1].last + 1:
            found.clear()
        found.append(batch)
    return found if found and found[-1].last == last else []


def target_engine(settings: TargetSettings, store: TargetStore) -> TargetEngine:
    """Make a target's engine: a new one, or one that goes on with what its files say.

    Staging that is damaged beyond what the volumes hold has lost writes that the source was told are
    safe: the image is then no image, and says so.
    """
    header = load_header(TargetHeader, store.marks)
    if header is None and store.staging.last == 0:
        return TargetEngine(settings)
    header = header or TargetHeader(base=None if settings.in_sync else 0)
    applied = max(header.applied, min(store.applied.value, store.staging.last))
    staged: list[WriteBatch] = []
    if any(d.record is None or d.record.last > applied for d in store.staging.damage):
        log.error("staging damaged", extra={"where": str(store.staging.damage[0])})
        header = replace(header, applied=applied, base=applied, end=None, open=None)
        save_header(store.marks, header)
        store.staging.restart(applied + 1)
    else:
        staged = list(store.staging.walk(applied + 1, skip=True))
    return recover_target(settings, header, staged, applied, [s.name for s in store.snapshots.all])
