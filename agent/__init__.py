"""The hypervisor side of nshell: what runs beside Open vSwitch on a server that joined the fabric.

The agent makes the host ready (join.py, uplink.py), plugs workloads in as virtual ports (attach.py), keeps
the tunnel neighbours resolved (neighbours.py) and answers the controller's diagnostic questions
(diagnostics.py) over a connection it dials itself (rpc.py, service.py).  It never touches a flow: forwarding
goes on when the agent is stopped, because everything it sets lives in the switch's own database.

Read next: host.py (how the host's Open vSwitch is reached), then join.py.
"""

__version__ = "0.1.0"
