"""The wide area network of a lab: FRR routers, a PE, a VTEP, a route reflector, and the way to a second site.

Why: what a controller tells PE routers, VTEPs and other sites, and hears from them, is tested with real daemons and
real packets.  Read next: plan.py (the parts and their addresses), wide.py (the interface: build, break, look),
routing.py (what FRR is configured with), pe.py and labels.py (MPLS over GRE where the kernel has no MPLS), vtep.py,
frr.py (FRR daemons in a namespace, of use without any lab), between.py (cutting two controllers apart),
example.py (the controller's configuration that goes with it).
"""
