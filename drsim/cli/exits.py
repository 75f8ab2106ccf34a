"""Exit codes, which are an interface: scripts and CI rely on them."""

from __future__ import annotations

PASSED = 0
INTERNAL = 1
"""A fault of drsim itself, never of its input."""
REFUSED = 2
"""Wrong usage, an invalid scenario, a file that can't be read or written."""
MISSED = 3
"""Everything ran; an expectation or objective was not met."""
INCOMPLETE = 4
"""A sweep in which some points did not finish."""
INTERRUPTED = 130
UNREAD = 141
"""Whoever read stdout closed it, as head does: what stood on it was not told to the end (128 + SIGPIPE)."""
