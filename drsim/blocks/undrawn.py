"""A column of whole numbers at which nobody has looked yet: it is made when somebody does, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class _Whole:
    """What is drawn once, for all who hold a part of it."""

    __slots__ = ("_make", "_values")

    def __init__(self, make: Callable[[], Ints]) -> None:
        self._make: Callable[[], Ints] | None = make
        self._values: Ints | None = None

    def values(self) -> Ints:
        if self._make is not None:
            self._values, self._make = self._make(), None
        return cast("Ints", self._values)


class Undrawn(NDArrayOperatorsMixin):
    """int64[n] that becomes an array as soon as anything but its length is asked for.

    Slices, rows taken and columns joined stay undrawn, so whoever passes writes on pays nothing for addresses
    that nobody wants. To all others it is an array, which must not be written to.
    """

    __slots__ = ("_start", "_stop", "_whole")
    dtype, ndim, strides = np.dtype(np.int64), 1, (8,)

    def __init__(self, whole: _Whole, start: int, stop: int) -> None:
        self._whole, self._start, self._stop = whole, start, stop

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                return Undrawn(self._whole, self._start + start, self._start + max(start, stop))
        return self._drawn()[rows]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._drawn(), name)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self._drawn(), dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **more: Any) -> Any:
        given = (each._drawn() if isinstance(each, Undrawn) else each for each in inputs)
        return getattr(ufunc, method)(*given, **more)

    def take(self, rows: Ints) -> Ints:
        """The chosen rows, undrawn."""
        return undrawn(len(rows), lambda: self._drawn().take(rows))

    def _drawn(self) -> Ints:
        return self._whole.values()[self._start : self._stop]


def undrawn(rows: int, make: Callable[[], Ints]) -> Ints:
    """A column of so many ``rows`` that ``make`` gives when it is wanted."""
    return cast("Ints", Undrawn(_Whole(make), 0, rows))


def concatenated(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Columns one after the other; undrawn where one of them is."""
    if any(isinstance(part, Undrawn) for part in parts):
        return undrawn(sum(map(len, parts)), lambda: np.concatenate(parts))
    return np.concatenate(parts)
