"""Other people's routers for tests: FRR, GoBGP and BIRD in namespaces that the root namespace reaches.

    with PeerNetwork("w2x") as peers:
        frr = peers.frr("r1", "router bgp 65001", " neighbor " + peers.here + " remote-as 65000", ...)
        gobgp = peers.gobgp("g1", {...}); bird = peers.bird("b1", "...")

network.py makes the namespaces; gobgp.py and bird.py run those two, each a daemon.py; FRR is nshell/lab/wan/frr.py.
"""

from nshell.lab.wan.frr import Frr
from tests.system.wan.peers.bird import Bird
from tests.system.wan.peers.gobgp import GoBgp
from tests.system.wan.peers.network import PeerNetwork

__all__ = ["Bird", "Frr", "GoBgp", "PeerNetwork"]
