"""The summary's keys that an expectation can be about, and the unit in which a user writes each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from drsim.units import parse_duration, parse_fraction, parse_rate, parse_size
from drsim.units.kind import UnitError

_SHARES = ("mean", "p50", "p90", "p95", "p99", "p999", "max")


@dataclass(frozen=True, slots=True)
class Unit:
    """How a user writes values of one kind: ``read`` text -> SI value, and an example."""

    noun: str
    example: str

    def read(self, text: str) -> float:
        """The SI value of ``text``; UnitError with a hint."""
        if self.noun in _PARSERS:
            return _PARSERS[self.noun](text)
        if self.noun == "truth":
            if text.lower() not in ("true", "false"):
                raise UnitError(f"'{text}' is neither true nor false", "write == true")
            return float(text.lower() == "true")
        try:
            number = float(text)
        except ValueError:
            raise UnitError(f"'{text}' is not a number", "a count has no unit: write it like 3") from None
        if not 0 <= number < float("inf"):
            raise UnitError(f"'{text}' is not a count", "write it like 3")
        return number


_PARSERS = {"duration": parse_duration, "size": parse_size, "fraction": parse_fraction, "rate": parse_rate}
DURATION, SIZE = Unit("duration", "15 min"), Unit("size", "20 GB")
FRACTION, COUNT, TRUTH = Unit("fraction", "80 %"), Unit("count", "3"), Unit("truth", "true")


def _keys(unit: Unit, *names: str) -> dict[str, Unit]:
    return dict.fromkeys(names, unit)


_SNAPSHOTS: dict[str, Unit] = {
    **_keys(COUNT, "snapshots_taken", "snapshots_kept", "snapshots_lost"),
    **_keys(DURATION, "snapshot_age_mean_s", "snapshot_age_max_s", "snapshot_none_s"),
    **_keys(SIZE, "snapshot_space_peak_bytes", "snapshot_space_final_bytes"),
}
TARGET: dict[str, Unit] = {
    **_SNAPSHOTS,
    **_keys(COUNT, "snapshots_missed", "history_cut_writes"),
    **_keys(DURATION, "history_mean_s", "history_min_s"),
    **_keys(DURATION, "rpo_s", "rto_s", *(f"lag_{s}_s" for s in (*_SHARES, "final"))),
    **_keys(DURATION, *(f"delay_{s}_s" for s in _SHARES)),
    **_keys(COUNT, "violations", "journal_overflows", "resyncs", "recovery_points_lost"),
    **_keys(DURATION, "violation_s", "violation_longest_s", "exposure_s", "last_applied_s", "recovery_max_s"),
    **_keys(FRACTION, "violation_fraction"),
    **_keys(
        SIZE,
        "backlog_peak_bytes",
        "journal_peak_bytes",
        "staging_peak_bytes",
        "resync_bytes",
        "sent_bytes",
        "folded_bytes",
    ),
    **_keys(SIZE, *(f"loss_{s}_bytes" for s in _SHARES)),
    **_keys(DURATION, *(f"loss_{s}_s" for s in _SHARES)),
    **_keys(COUNT, *(f"loss_{s}_writes" for s in _SHARES)),
    **_keys(TRUTH, "consistent"),
}
GROUP: dict[str, Unit] = {
    **_SNAPSHOTS,
    **_keys(SIZE, "written_bytes", "lost_bytes"),
    **_keys(COUNT, "writes", "lost_writes", "moves"),
    **_keys(DURATION, "unprotected_s", "violation_s", "recovery_max_s"),
}
LINK: dict[str, Unit] = {
    **_keys(FRACTION, "utilisation"),
    **_keys(SIZE, "carried_bytes"),
    **_keys(DURATION, "down_s"),
}
HOST: dict[str, Unit] = {
    **_keys(COUNT, "writes"),
    **_keys(COUNT, "failed_writes"),
    **_keys(DURATION, *(f"write_latency_{s}_s" for s in _SHARES)),
    **_keys(DURATION, *(f"queue_wait_{s}_s" for s in ("mean", "p99", "max"))),
}

SECTIONS: dict[str, dict[str, Unit]] = {"groups": GROUP, "links": LINK, "hosts": HOST}


def spoken(key: str) -> str:
    """A key as users write it: ``lag_p99_s`` is ``lag.p99``, ``violation_s`` is ``violation``."""
    if key.startswith("loss_") and not key.endswith("_bytes"):
        return key  # loss.max is in bytes
    bare = _bare(key)
    head, _, tail = bare.partition("_")
    return f"{head}.{tail}" if tail and head in ("lag", "delay", "loss", "violation") else bare


def find(words: str, keys: dict[str, Unit]) -> str | None:
    """The key meant by a user's words: with or without its unit, ``.`` or ``_`` between words."""
    wanted = words.replace("p99.9", "p999").replace(".", "_")
    return wanted if wanted in keys else next((key for key in keys if _bare(key) == wanted), None)


def _bare(key: str) -> str:
    return key.removesuffix("_bytes").removesuffix("_s")


def listed(keys: Iterable[str]) -> list[str]:
    """All keys as users write them."""
    return sorted(spoken(key) for key in keys)
