"""Loops that numba compiles, where it is installed and worth its start: the fast twin of a NumPy body.

A loop is plain Python over numbers and columns, and gives the same bits interpreted and compiled; so does the NumPy
body beside it. Which of them runs can therefore be chosen by nothing but cost: numba takes a third of a second to
import, so a process starts with NumPy and goes over to the loops once it has seen `WORTH` rows.
"""

from __future__ import annotations

import importlib
import importlib.util
import types
from collections.abc import Callable
from typing import Any, Literal

WORTH = 1 << 21
"""Rows after which the time saved is sure to repay importing numba and loading the compiled loops."""

Choice = Literal["never", "when worth it", "always", "interpreted"]
Loop = Callable[..., Any]


class _State:
    """What this process has decided."""

    choice: Choice = "when worth it"
    rows = 0
    missing = False


class Compiled:
    """One loop and its compiled twin.

    Args:
        loop: the loop; it makes and drops no array, so numba's reference counting is left out. Functions of its module
            that it calls are compiled into it.
        signature: numba's words for its arguments: a twin of exactly these types is made, once, and kept on disk.
    """

    def __init__(self, loop: Loop, signature: str) -> None:
        self.loop = loop
        self._signature = signature
        self._twin: Loop | None = None

    def worth(self, rows: int) -> Loop | None:
        """The compiled twin, or None: then the NumPy body must take these ``rows``."""
        if _State.choice == "interpreted":
            return self.loop
        if _State.choice == "never" or _State.missing:
            return None
        if _State.choice == "when worth it" and _State.rows < WORTH:
            _State.rows += rows
            return None
        if self._twin is None:
            self._twin = self._compile()
        return self._twin

    def _compile(self) -> Loop | None:
        try:
            numba = importlib.import_module("numba")
        except ImportError:
            _State.missing = True
            return None
        lean = {"error_model": "numpy", "_nrt": False}  # fastmath stays off, or the bits would differ
        loop = _with_parts(self.loop, numba.njit(**lean))
        twin: Loop
        try:
            twin = numba.njit(self._signature, cache=True, **lean)(loop)
        except RuntimeError:  # nowhere to keep the compiled code: compile once a process instead
            twin = numba.njit(self._signature, **lean)(loop)
        return twin


def _with_parts(loop: Loop, compiling: Callable[[Loop], Loop]) -> Loop:
    """A loop with the functions of its own module that it calls compiled, which then become part of its twin."""
    known = loop.__globals__
    parts = {
        name: compiling(_with_parts(known[name], compiling))
        for name in loop.__code__.co_names
        if isinstance(known.get(name), types.FunctionType)
    }
    return types.FunctionType(loop.__code__, {**known, **parts})


def compiled(signature: str) -> Callable[[Loop], Compiled]:
    """Decorate a loop with its signature."""
    return lambda loop: Compiled(loop, signature)


def use(choice: Choice) -> Choice:
    """Say whether compiled loops are used from now on in this process; give what held before.

    ``interpreted`` runs the loops as the plain Python they are: slow, and the same to the bit without numba.
    """
    before, _State.choice = _State.choice, choice
    return before


def available() -> bool:
    """Whether numba can be imported."""
    return importlib.util.find_spec("numba") is not None
