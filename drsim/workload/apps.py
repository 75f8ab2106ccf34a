"""Applications an architect recognises, each a composition of arrivals, access, sizes and calendar.

Where the numbers come from:

* ``oltp``: over a thousand hours of seven Oracle databases the data blocks written were mostly 2 to 4 times
  the redo (K. Hailey, "Ratio of redo bytes to datablocks writes", 2011), so a third is log. Log writes are
  groups of commits, small, to the end of a log that goes round; table pages are 8 KiB, skewed, with the
  bursts of checkpoints.
* ``mail``: pages of 32 KiB, as Exchange has since 2010; the log in order.
* ``vdi``, ``vdi-boot``: 7.5 writes/s of 9 KB a desktop at work, 15 writes/s of 5 KB while booting (Dell
  BP1018, table 7: 7-8 IOPS, 99.8 % of them writes; 16-18 IOPS, 87 %). ``vdi-caches`` is what the white paper
  advises not to replicate: page files and browser caches, taken as 40 % of a desktop's bytes.
* ``file-server``: half of the blocks of a home-directory server die within a second, being logs and indices
  (Ellard et al., FAST 2003, their EECS trace), and load follows the day; the file system's journal is a small
  area written round and round.
* ``vmfs``: many guests, each on and off for heavy-tailed times, which add up to self-similar traffic (Gribble
  et al., "Self-similarity in file systems", SIGMETRICS 1998), in pieces of 1 MiB, a block of VMFS.
* ``page-file``: the same few percent of C: over and over, in bursts. ``defragmentation``: runs of clusters
  moved through the whole volume in a weekly night. ``batch``, ``load``, ``catalogue``: nightly updates of a
  skewed part, bulk inserts with their log, a backup's index.

Shares and skews without a source here are assumptions, fit to compare choices with; replay a trace for yours.
"""

from __future__ import annotations

from typing import Any

from drsim.workload.app import App
from drsim.workload.desktops import Defragmentation, PageFile, Vdi, VdiBoot, VdiCaches
from drsim.workload.servers import Batch, Catalogue, FileServer, Load, Mail, Oltp, Vmfs
from drsim.workload.spelling import read

KINDS: dict[str, type[App]] = {
    "oltp": Oltp,
    "file-server": FileServer,
    "mail": Mail,
    "vdi": Vdi,
    "vdi-caches": VdiCaches,
    "vdi-boot": VdiBoot,
    "vmfs": Vmfs,
    "page-file": PageFile,
    "defragmentation": Defragmentation,
    "batch": Batch,
    "load": Load,
    "catalogue": Catalogue,
}


def parse_app(value: Any) -> App:
    """Read an application's spelling; raises UnitError."""
    return value if isinstance(value, App) else read("application", str(value), KINDS)
