"""Loops over numbers that numba compiles where it is installed: when, and what gives the same bits without it.

A loop here is plain Python over arrays and scalars. Where NumPy can do the same in whole columns, the columns are
the ordinary body and the loop takes over once a run is long enough to repay the compiler; where only a loop
can do it, it runs interpreted without numba. Either way the bits are the same.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

Loop = Callable[..., Any]

WORTH = 2_000_000
"""Items a process must have served before a compiler that takes some tenths of a second is started."""


def compile_loop(loop: Loop, parts: Sequence[Loop]) -> Loop | None:
    """Compile ``loop``, which calls ``parts``; None where numba is not installed.

    Nothing in these loops makes or drops an array, so numba's reference counting is left out: it costs
    four times the arithmetic. ``fastmath`` stays off, or the bits would differ.
    """
    try:
        numba = importlib.import_module("numba")
        extending = importlib.import_module("numba.extending")
    except ImportError:
        return None
    lean = {"error_model": "numpy", "_nrt": False}
    for part in parts:
        extending.register_jitable(**lean)(part)
    compiled: Loop
    try:
        compiled = numba.njit(cache=True, **lean)(loop)
    except RuntimeError:  # nowhere to keep the compiled code: compile once a run instead
        compiled = numba.njit(**lean)(loop)
    return compiled


class Kernel:
    """A loop that takes over from a NumPy body once it is worth it.

    Which body runs is a matter of speed alone: tests hold both to the same bits.
    """

    seen: ClassVar[int] = 0
    """Items of all kernels so far."""
    after: ClassVar[int] = WORTH

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._body: Loop | None = None
        self._tried = False

    def body(self, items: int) -> Loop | None:
        """Give the compiled loop for a batch of ``items``; None while NumPy is to do it."""
        if Kernel.seen < Kernel.after:
            Kernel.seen += items
            return None
        if not self._tried:
            self._tried = True
            self._body = compile_loop(self.loop, ())
        return self._body
