"""A commit: from what somebody edited to every switch, every neighbour and the store, or to nothing at all.

Why it exists: a change of the network is one transaction over many machines that may refuse, hang or be gone, and over
one database. Its four phases have the same names everywhere:

    edits ── commits.py ── check, plan    planning.py   edits -> what every hypervisor is sent, without any I/O
                │                         plan.py       the same for people: `commit check`; touched.py: of templates
                ├───────── apply, revert  transaction.py   prepared everywhere before anything is committed
                │                         sides.py         what is no switch: BGP neighbours, PE routers
                ├───────── receipts.py    what each part of the network confirmed
                └───────── confirm.py     back again unless somebody confirms

Read next: transaction.py, planning.py.
"""
