"""What the operator may ask of a running agent: status, rehearsals, change of roles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from drsim.agent.at_target import AtTarget
from drsim.agent.nbd.exports import FileExport
from drsim.agent.node import Node
from drsim.agent.snapshots import SnapshotImage

Asked = dict[str, Any]


class Operator:
    """Answers questions about one node; a `ValueError` is a refusal, with the reason in words."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._table: dict[str, Callable[[str, Asked], Awaitable[Any]]] = {
            "status": self._status,
            "rehearse": self._rehearse,
            "drop": self._drop,
            "promote": self._promote,
            "demote": self._demote,
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
        """Keep the present image of a copy and export it, read-only, a volume each."""
        group, snapshot = self._copy(name), str(asked.get("name") or "rehearsal")
        assert group.running is not None
        running = group.running
        seq = await running.rehearse(snapshot)
        taken = running.snapshots.get(snapshot)
        assert taken is not None
        exports = []
        for number, volume in enumerate(group.group.volumes):
            export = f"{name}/{volume}@{snapshot}"
            image = SnapshotImage(running.snapshots, taken, number)
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
        return {"dropped": snapshot}

    async def _promote(self, name: str, asked: Asked) -> Any:
        return {"seq": await self.node.promote(name, str(asked.get("point", "")))}

    async def _demote(self, name: str, asked: Asked) -> Any:
        del asked
        return {"differs_bytes": await self.node.demote(name)}

    def _copy(self, name: str) -> AtTarget:
        group = self.node.groups.get(name)
        if not isinstance(group, AtTarget) or group.running is None:
            raise ValueError(f"there is no copy of '{name}' at this site")
        return group
