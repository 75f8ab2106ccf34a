"""The formats of one record a line."""

from __future__ import annotations

from typing import ClassVar

from drsim.workload.traces.delimited import Delimited, Layout
from drsim.workload.traces.records import Op

_WRITE_IS_0 = {"0": Op.WRITE, "1": Op.READ}
_WRITE_IS_1 = {"0": Op.READ, "1": Op.WRITE}


class Canonical(Delimited):
    """Our own: microseconds, device, R/W/T, bytes."""

    NAME = "canonical"
    OWN_ZERO = True
    LAYOUT: ClassVar[Layout] = Layout(
        ("time", "device", "op", "offset", "length"), ",", "t_us,dev,op,offset_bytes,length_bytes"
    )


class MsrCambridge(Delimited):
    """MSR Cambridge (SNIA IOTTA): Windows file time (100 ns), host, disk, Read/Write, bytes, response."""

    NAME = "msr"
    DATED = True
    LAYOUT: ClassVar[Layout] = Layout(
        ("time", "host", "disk", "op", "offset", "length", "response"),
        ",",
        "Timestamp,Hostname,",
        epoch=116_444_736_000_000_000,  # 1970: nanoseconds since 1601 would leave 63 bits
        tick_ns=100,
        device=("host", "disk"),
    )


class Spc(Delimited):
    """Storage Performance Council (UMass): ASU, LBA of 512 B, bytes, R/W, seconds."""

    NAME = "spc"
    OWN_ZERO = True
    LAYOUT: ClassVar[Layout] = Layout(
        ("device", "offset", "length", "op", "time"), ",", tick_ns=1_000_000_000, offset_unit=512
    )


class Alibaba(Delimited):
    """Alibaba block traces: device, R/W, bytes, bytes, microseconds."""

    NAME = "alibaba"
    DATED = True
    LAYOUT: ClassVar[Layout] = Layout(
        ("device", "op", "offset", "length", "time"), ",", "device_id,opcode,offset,length,timestamp"
    )


class Tencent(Delimited):
    """Tencent CBS: seconds, sectors of 512 B, sectors, 0 read or 1 write, volume."""

    NAME = "tencent"
    DATED = True
    LAYOUT: ClassVar[Layout] = Layout(
        ("time", "offset", "length", "op", "device"),
        ",",
        "Timestamp,Offset,Size,IOType,VolumeID",
        tick_ns=1_000_000_000,
        offset_unit=512,
        length_unit=512,
        ops=_WRITE_IS_1,
    )


class Cydonia(Delimited):
    """Cydonia: microseconds, LBA of 512 B, r/w, bytes."""

    NAME = "cydonia"
    LAYOUT: ClassVar[Layout] = Layout(("time", "offset", "op", "length"), ",", offset_unit=512, device=())


class DiskSim(Delimited):
    """DiskSim's ascii, as SSDsim and MQSim read it: ns, device, sector of 512 B, sectors, 0 write 1 read."""

    NAME = "disksim"
    LAYOUT: ClassVar[Layout] = Layout(
        ("time", "device", "offset", "length", "op"),
        " ",
        tick_ns=1,
        offset_unit=512,
        length_unit=512,
        ops=_WRITE_IS_0,
    )
