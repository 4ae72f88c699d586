"""Flows towards places outside our hypervisors, and from there: what `controller/compile/remote.py` has facts about.

    facts      which facts count: what an address, a MAC address, a prefix leads to
    machines   machines behind VTEPs and at other sites, as if they were vports on another hypervisor
    routes     prefixes behind PE routers (MPLS over GRE) and VTEPs (VXLAN)
    entrance   the way in: the VNI and the labels of a whole domain
    gateways   the gateways of a subnet, for machines of it that are behind VTEPs
    circuits   who is connected to which domain by MPLS: for `show`
    shown      what leads out of a domain, and behind which endpoint a vport is: for `show`

    subnet, MAC     switch -> VXLAN with the VNI that the receiver chose
    domain, prefix  route  -> depart -> VXLAN with the MAC of its router | MPLS label over GRE
    from there      classify -> nat_in -> source -> destination -> ingress_track -> route -> switch -> return ...

Copies of broadcasts are in `segment.py`, the identities of vports at another site in `identity.py`. What is from the
WAN meets the egress policy of the vport that it is for, and leads nowhere else. A packet is believed to come from
whoever may send into the underlay: the VNI and the labels of a domain lead into this domain alone, whoever sends, as
the VNI of a subnet leads into that subnet (RFC 4023 section 8.1: the edge of the underlay keeps others out).
"""
