"""A controller that commits without a pause until it is killed: `python -m tests.system.switches.committer STATE`.

It adds and removes ten vports at a time and prints a line for each revision that was acknowledged.
"""

from __future__ import annotations

import asyncio
import sys

from controller.fabric import Fabric
from controller.topology import Standing
from data.path import Path
from data.schema.objects import Object
from data.store import Store
from tests.system.site import vport, vport_path


async def main(directory: str) -> None:
    fabric = Fabric(Store.open(directory))
    await fabric.start()
    while any(known.state is not Standing.READY for known in fabric.topology.hypervisors.values()):
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    while True:
        present = fabric.running.get(vport_path(1)) is not None
        edits: dict[Path, Object | None] = {vport_path(n): None if present else vport(n) for n in range(1, 11)}
        outcome = await fabric.commit(edits, author="committer")
        print(outcome.revision, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
