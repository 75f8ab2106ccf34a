"""Many writes to places of files by one call to the kernel, without the interpreter's lock: Linux AIO, io_submit(2).

The kernel takes writes to the page cache in the call itself. Where there is no such call (another system, or a
sandbox that forbids it), `Scatter.able` is false and writes are made one by one.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drsim.blocks.batch import Ints

_CALLS = {"x86_64": (206, 207, 208, 209), "aarch64": (0, 1, 4, 2), "riscv64": (0, 1, 4, 2)}
_SETUP, _DESTROY, _EVENTS, _SUBMIT = _CALLS.get(platform.machine(), (-1, -1, -1, -1))
_PWRITE = 1
_MOST = 512  # writes a call
_CONTROL = np.dtype(  # struct iocb of linux/aio_abi.h
    [
        ("data", "<u8"),
        ("key", "<u4"),
        ("rw_flags", "<i4"),
        ("opcode", "<u2"),
        ("priority", "<i2"),
        ("fd", "<u4"),
        ("address", "<u8"),
        ("nbytes", "<u8"),
        ("offset", "<i8"),
        ("reserved", "<u8"),
        ("flags", "<u4"),
        ("result_fd", "<u4"),
    ]
)
_EVENT = np.dtype([("data", "<u8"), ("control", "<u8"), ("result", "<i8"), ("more", "<i8")])
_libc = ctypes.CDLL(None, use_errno=True)
_call = _libc.syscall
_call.restype = ctypes.c_long


class Plan:
    """Writes as the kernel wants them told, and what it says of each.

    Args:
        fd, address, nbytes, offset: int64[n] each: from where in memory how many bytes go to which place of which file.
    """

    def __init__(self, fd: Ints, address: Ints, nbytes: Ints, offset: Ints) -> None:
        self.controls = np.zeros(len(address), _CONTROL)
        self.controls["data"] = np.arange(len(address))
        self.controls["opcode"] = _PWRITE
        self.controls["fd"] = fd
        self.controls["address"], self.controls["nbytes"], self.controls["offset"] = address, nbytes, offset
        self.pointers = _address(self.controls) + _CONTROL.itemsize * np.arange(len(address))
        self.events = np.zeros(len(address), _EVENT)

    def short(self) -> Ints:
        """Give the rows of which fewer bytes were written than asked.

        Raises:
            OSError: a file refused; which of the other rows were written is unknown.
        """
        row, result = self.events["data"].astype(np.int64), self.events["result"]
        missing = result != self.controls["nbytes"][row].astype(np.int64)
        if missing.any() and (refused := result[result < 0]).size:
            raise OSError(-int(refused[0]), os.strerror(-int(refused[0])))
        found: Ints = row[missing]
        return found


class Scatter:
    """Carries out plans, whose writes share no byte: their order does not matter. For one thread at a time."""

    def __init__(self) -> None:
        self._context = ctypes.c_ulong(0)
        self.able = (
            sys.platform == "linux"
            and sys.byteorder == "little"
            and ctypes.sizeof(ctypes.c_void_p) == 8
            and _SETUP >= 0
            and _call(ctypes.c_long(_SETUP), ctypes.c_long(_MOST), ctypes.byref(self._context)) == 0
        )

    def carry_out(self, plan: Plan) -> None:
        """Return when the kernel is done with all of it; the plan knows what it says.

        Raises:
            OSError: the kernel did not even take it.
        """
        pointers, events = _address(plan.pointers), _address(plan.events)
        count = len(plan.pointers)
        for begin in range(0, count, _MOST):
            self._some(min(_MOST, count - begin), pointers + 8 * begin, events + _EVENT.itemsize * begin)

    def _some(self, count: int, pointers: int, events: int) -> None:
        given = done = 0
        try:
            while given < count:
                given += _asked(_SUBMIT, self._context, count - given, pointers + 8 * given)
        finally:
            while done < given:
                done += _asked(
                    _EVENTS, self._context, given - done, given - done, events + _EVENT.itemsize * done, 0
                )

    def close(self) -> None:
        """Give the kernel back what it kept for this."""
        if self.able:
            self.able = False
            _call(ctypes.c_long(_DESTROY), self._context)


def _address(column: NDArray[Any]) -> int:
    return int(column.__array_interface__["data"][0])


def _asked(number: int, context: ctypes.c_ulong, *numbers: int) -> int:
    """Ask the kernel, again if something came between."""
    while (answer := _call(ctypes.c_long(number), context, *map(ctypes.c_long, numbers))) < 0:
        if (code := ctypes.get_errno()) != errno.EINTR:
            raise OSError(code, os.strerror(code))
    return int(answer)
