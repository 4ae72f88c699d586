"""Benchmarks: what the project promises about time and memory, each measured in one run beside its peer.

    __main__.py     `python -m tests.bench [NAME...]`: runs them, prints the table, writes bench-results.json
    measure.py      rows and targets, processes ended by pid, CPU and memory from /proc
    switches.py     real Open vSwitch on the dummy datapath, and dummy ports plugged into it
    workload.py     the network that OVN and nshell are both given: ten subnets, one group, its rules
    fabric.py       the controller in a process of its own, so that its memory and CPU are its own
    start.py        nshell -c "show version"   beside   python -c pass
    push.py         100,000 compiled flows     beside   ovs-ofctl --bundle add-flows
    policy.py       the workload on nshell     beside   ovn.py, the workload on OVN
    fleet.py        500 hypervisors that are only protocol: fake_switch.py
    series.py       statistics of 10,000 vports   beside   a table in SQLite with a row per value
    telemetry.py    counters of 20 hypervisors with 5,000 flows     beside   os-ken's parser of flow statistics
    bgp.py          100,000 VPNv4 routes to GoBGP and back (bgp_ours.py)     beside   GoBGP to FRR

Every benchmark repeats, takes medians, and alternates with its peer where both can run at once. Nothing here
touches the Open vSwitch or OVN of the system: databases, sockets and logs are in a temporary directory.
"""
