"""What the operator may ask of a running agent: status, rehearsals, change of roles, a pause."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from drsim.agent.at_source import AtSource
from drsim.agent.at_target import AtTarget
from drsim.agent.nbd.exports import FileExport
from drsim.agent.node import Node
from drsim.agent.past import Past, point
from drsim.agent.records import DamagedError
from drsim.replication.events import Command

Asked = dict[str, Any]


class Operator:
    """Answers questions about one node; a `ValueError` is a refusal, with the reason in words."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._pasts: dict[str, Past] = {}
        self._table: dict[str, Callable[[str, Asked], Awaitable[Any]]] = {
            "status": self._status,
            "rehearse": self._rehearse,
            "drop": self._drop,
            "promote": self._promote,
            "demote": self._demote,
            "suspend": self._leg,
            "resume": self._leg,
        }

    async def answer(self, asked: Asked) -> Any:
        """Answer ``{"ask": VERB, "group": NAME, …}``.

        Raises:
            ValueError: what is asked makes no sense or cannot be.
        """
        act = self._table.get(str(asked.get("ask", "status")))
        if act is None:
            raise ValueError(f"'{asked.get('ask')}' is not understood")
        return await act(str(asked.get("group", "")), asked)

    async def _status(self, group: str, asked: Asked) -> Any:
        del group, asked
        return self.node.status()

    async def _rehearse(self, name: str, asked: Asked) -> Any:
        """Keep an image of a copy, the present one or an older point, and export it, read-only, a volume each."""
        group, snapshot = self._copy(name), str(asked.get("name") or "rehearsal")
        assert group.running is not None
        running, ago = group.running, asked.get("ago_s")
        wanted = point(running, str(asked.get("point") or ""), None if ago is None else float(ago))
        await running.rehearse(snapshot)
        taken = running.snapshots.get(snapshot)
        assert taken is not None
        seq = taken.seq if wanted is None else wanted
        if seq < taken.seq:
            running.end_rehearsal(snapshot)
            raise ValueError(f"the volumes have passed write {seq} meanwhile")
        if name not in self._pasts:
            self._pasts[name] = Past(group.folder / "past")
        try:
            images = await self._pasts[name].images(running, taken, seq)
        except DamagedError as error:
            raise ValueError(f"staging is damaged: {error}") from error
        exports = []
        for volume, image in zip(group.group.volumes, images, strict=True):
            export = f"{name}/{volume}@{snapshot}"
            self.node.exports[export] = FileExport(export, image, description=f"{volume} as of write {seq}")
            exports.append(export)
        return {"seq": seq, "exports": exports}

    async def _drop(self, name: str, asked: Asked) -> Any:
        """End a rehearsal; who still reads its image gets errors from now on."""
        group, snapshot = self._copy(name), str(asked.get("name") or "rehearsal")
        for volume in group.group.volumes:
            self.node.exports.pop(f"{name}/{volume}@{snapshot}", None)
        assert group.running is not None
        group.running.end_rehearsal(snapshot)
        if name in self._pasts:
            self._pasts[name].drop(snapshot)
        return {"dropped": snapshot}

    async def _promote(self, name: str, asked: Asked) -> Any:
        return {"seq": await self.node.promote(name, str(asked.get("point", "")))}

    async def _demote(self, name: str, asked: Asked) -> Any:
        del asked
        return {"differs_bytes": await self.node.demote(name)}

    async def _leg(self, name: str, asked: Asked) -> Any:
        """Suspend or resume a source's legs: all of them, or the one to ``target``."""
        group, wanted = self.node.groups.get(name), str(asked.get("target") or "")
        if not isinstance(group, AtSource) or group.running is None:
            raise ValueError(f"this site is not the source of '{name}'")
        legs = [leg for leg in group.running.legs if wanted in ("", leg.name)]
        if not legs:
            raise ValueError(f"'{name}' has no target '{wanted}'")
        for leg in legs:
            leg.deliver(Command(str(asked["ask"])))
        return {"states": {leg.name: leg.engine.state.value for leg in legs}}

    def _copy(self, name: str) -> AtTarget:
        group = self.node.groups.get(name)
        if not isinstance(group, AtTarget) or group.running is None:
            raise ValueError(f"there is no copy of '{name}' at this site")
        return group
