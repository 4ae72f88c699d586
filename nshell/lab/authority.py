"""Certificates for the lab's hypervisors straight from the authority of a controller on this machine.

A real hypervisor brings a join token to the controller's agent port. A lab is brought up before its controller listens
on the lab's network, often before there is a daemon at all, so it asks the same authority in the state directory itself
and writes the certificate down where the daemon looks it up. Only root can, who could read the authority's key anyway.
"""

import threading
import time
from pathlib import Path

from agent.trust import Files, Granted
from controller.trust.authority import Authority
from controller.trust.office import DIRECTORY
from data.store import Store
from data.store.trust import CertificateRow, TrustStore


class LabAuthority:
    """The authority of the controller whose state directory this is; used by several threads."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._authority = Authority.open(state / DIRECTORY)
        self._one = threading.Lock()

    def has_signed(self, files: Files, system_id: str) -> bool:
        """Whether a hypervisor holds a certificate of this authority that lasts."""
        facts, known = files.facts(), files.read()[0]
        if facts is None or known != self._authority.pem.encode() or facts.system_id != system_id:
            return False
        due = files.renew_at()
        return due is not None and due > time.time()

    def sign(self, system_id: str, request: str) -> Granted:
        """A certificate for a signing request, written down in the store. Raises CommandFailed."""
        with self._one:
            issued = self._authority.sign(system_id, request, time.time())
            store = Store.open(self._state)
            try:
                TrustStore(store).add(CertificateRow(issued.serial, system_id, issued.issued, issued.expires))
            finally:
                store.close()
        return Granted(issued.pem, self._authority.pem)
