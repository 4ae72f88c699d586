"""A process that commits until it is killed: `python store_writer.py DIRECTORY`; see test_store_survives_kill.py.

Every revision writes all vports anew, with its number as their description, and one vport that it alone has. It says
`acked N` on standard output once N is committed. Before that it saves a candidate whose rows all hold the same number,
and begins a journal row; both end with the commit.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from data.merge import Edit
from data.path import Path as ObjectPath
from data.schema.objects import Domain, Enterprise, Object, Vport
from data.store import Receipt, Revision, Store

VPORTS = 300
DOMAIN = ("enterprise", "acme", "domain", "prod")


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def vport(revision: int, number: int) -> Vport:
    return Vport(uuid=uuid(number), description=str(revision), subnet="s", mac=f"02:00:00:00:{number >> 8:02x}:00")


def edits(revision: int) -> dict[ObjectPath, Object | None]:
    made: dict[ObjectPath, Object | None] = {
        (*DOMAIN, "vport", f"v{number}"): vport(revision, number) for number in range(VPORTS)
    }
    if revision == 1:
        made[DOMAIN[:2]] = Enterprise(uuid=uuid(10_000))
        made[DOMAIN] = Domain(uuid=uuid(10_001))
    else:
        made[(*DOMAIN, "vport", f"only-{revision - 1}")] = None
    made[(*DOMAIN, "vport", f"only-{revision}")] = vport(revision, 20_000 + revision)
    return made


def main(directory: str) -> None:
    store = Store.open(directory)
    revision = store.last_revision()
    print("ready", flush=True)
    while True:
        revision += 1
        wanted = edits(revision)
        store.save_candidate("ops", {path: Edit(None, item) for path, item in wanted.items() if item is not None})
        made = Revision(revision, "ops", float(revision))
        journal = store.begin_journal(made, ["hv1"])
        store.commit(
            wanted,
            made,
            {("vni", f"only-{revision}"): revision},
            [Receipt("hv1", "verified", VPORTS, 0, 1.0, float(revision))],
            journal=journal,
            candidate_of="ops",
        )
        print(f"acked {revision}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
