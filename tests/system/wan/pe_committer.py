"""A controller that is killed in the middle of a commit: `python -m tests.system.wan.pe_committer STATE STEP`.

The steps are those of the PE side: `prepared`, `committed`, `decided`, `settled`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from unittest.mock import patch

from controller.commit.receipts import Receipt
from controller.fabric import Fabric
from controller.pe.side import PreparedPes
from controller.topology import Standing
from data.store import Store
from tests.system.wan.pe_site import change

commit, settle = PreparedPes.commit, PreparedPes.settle


async def main(directory: str, step: str) -> None:
    def at(name: str) -> None:
        if name == step:
            print(name, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    async def commit_until(self: PreparedPes) -> Sequence[Receipt]:
        at("prepared")
        receipts = await commit(self)
        at("committed")
        return receipts

    async def settle_until(self: PreparedPes) -> None:
        at("decided")
        await settle(self)
        at("settled")

    fabric = Fabric(Store.open(directory))
    with patch.object(PreparedPes, "commit", commit_until), patch.object(PreparedPes, "settle", settle_until):
        await fabric.start()
        while any(known.state is not Standing.READY for known in fabric.topology.hypervisors.values()):
            await asyncio.sleep(0.01)
        await fabric.commit(change(), author="committer")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
