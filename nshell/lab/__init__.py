"""A whole fabric on one machine: real Open vSwitch, real packets, network namespaces in place of servers.

```
  root namespace: the controller            PREFIX-mgmt 169.254.X.1/24 (bridge)
        │ OpenFlow, OVSDB, agent                 │
  ┌─ PREFIX-hv1 ─────────┐ mgmt0 ────────────────┤          ┌─ PREFIX-hv2 ───┐
  │ ovsdb-server         │                       └── mgmt0 ─┤ ...            │
  │ ovs-vswitchd, agent  │                                  │                │
  │ br-nsh ── tap-web-1 ─┼─ veth ─ eth0 PREFIX-vm-web-1     │                │
  │ br-phy 172.31.0.1/24 │                                  │                │
  │   └ eth0 ────────────┼── PREFIX-fabric (bridge) ────────┤ eth0           │
  └──────────────────────┘                                  └────────────────┘
```
The demo, the system tests and `nshell lab` use it.  Read next: lab.py (the interface), then underlay.py,
hypervisor.py and machines.py (what it is made of), physical.py (what is outside the fabric), migration.py (machines
that move), probing.py and capture.py (real packets, and seeing them), across.py and wan/ (the wide area network and a
second site).
"""

from nshell.lab.capture import Capture
from nshell.lab.lab import Lab
from nshell.lab.machines import Machine, read_machines
from nshell.lab.outside import Outside, Uplink
from nshell.lab.wan.plan import Customer, Segment, Tenant, Wan

__all__ = ["Capture", "Customer", "Lab", "Machine", "Outside", "Segment", "Tenant", "Uplink", "Wan", "read_machines"]
