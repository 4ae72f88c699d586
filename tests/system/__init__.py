"""Real packets through real Open vSwitch, and real peers around it: what nshell claims, proved from outside.

    network.py    Network: a lab with hypervisors, machines and a daemon; site.py: a fabric in this process
    ovs.py, pane.py, browsers.py, bgp_speaking.py   one switch, a terminal (tmux), a browser, a BGP speaker
    traced.py, real_packets.py, frames.py, answered.py   questions to trace, and what becomes of the packet itself
    iperf.py, collector.py, counted.py   traffic, somebody on the underlay who is sent it, and what was counted

Every test takes a lab prefix of its own, so that they run side by side. They need root.
"""
