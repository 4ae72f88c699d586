"""A NAPALM driver for FRRouting: configuration with timed revert, and every getter FRR has an answer for.

It exists because NAPALM has none, and imports nothing of the project around it, so that it can be released alone as
`napalm-frr` (README.md says how, and documents every optional argument). Importing it imports NAPALM, which takes
0.5 to 0.9 s: import it where a router is about to be spoken to, and in a thread.

    driver.py         FrrDriver, what a caller sees
    router.py         its options, and the questions one can put to a router
    transport.py      this machine, or SSH
    configuration.py  candidate, comparison, commit, confirmation, rollback
    transaction.py    the commit itself: a script that the router runs, whatever becomes of us; read this one first
    candidate.py      text of a candidate, differences, secrets: pure
    bgp.py, interfaces.py, routes.py, system.py   FRR's answers in NAPALM's models: pure
"""

from .driver import FrrDriver

__all__ = ["FrrDriver"]
