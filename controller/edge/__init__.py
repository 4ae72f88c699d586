"""What the controller itself does for workloads: it answers them, learns from what they send, and probes them.

Each service is a class of its own with the same shape: made with an `EdgeContext`, it registers for the packets that
are punted to it (`punted.serve`), gives what it found to `upkeep.observe`, and may have a task that runs as long as the
controller (`run`). The flows that punt are in `controller/compile/services/`; how packets are read and made, in
`controller/packets/`. While the controller is away nothing here is answered, and everything else goes on.
"""

from controller.edge.edge import Edge

__all__ = ["Edge"]
