"""The edge services in flows, one subject a file; `controller/compile/catalogue.py` lists them.

    floating, source_nat, shared             addresses that change on the way
    bridging, bridge_guard                   L2 domains, bridge vports, what was learned behind them
    routes, next_hops, forwarding, sharing   other ways than to a vport's own address; who carries the flows
    balancing, balance, backends, serving    load balancers: the feature, the way there, the way back, who serves
    spread                                   flows dealt out among several
    qos, limits                              rate limits and marks
    mirror, copies                           copies of packets
    virtual_ip, virtual_guard                addresses that several vports share
    punts, probed                            what goes to the controller: requests, and answers to probes

What a feature is, is said in `controller/compile/features.py`.
"""
