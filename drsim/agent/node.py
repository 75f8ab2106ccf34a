"""One agent: its groups, the hosts' door, the peers' door, and what it says about itself."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from drsim.agent.clock import LoopClock
from drsim.agent.config import Config
from drsim.agent.dial import Backoff, Dialler, Listener
from drsim.agent.links import FrontDoor, LinkEnd
from drsim.agent.logs import log
from drsim.agent.nbd.connection import Limits
from drsim.agent.nbd.exports import Export
from drsim.agent.nbd.server import NbdServer
from drsim.agent.peer import Beat, PeerConnection
from drsim.agent.roles import GroupAtSource, GroupAtTarget

_REOPEN_S = (1.0, 60.0)


class Node:
    """Everything one ``drsim serve`` does."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.exports: dict[str, Export] = {}
