# What of acme goes out and what comes in: its domain with the PE's VRF, its subnet web1 with the VTEP's segment.
set enterprise acme domain prod route-target 65000:77
set enterprise acme domain prod zone web subnet web1 vni 10101 route-target 65000:10101

# Policy as ever: what is behind the PE is a network-macro, and only its port 443 is open.
set enterprise acme network-macro branch prefix 10.9.0.0/24
set enterprise acme domain prod ingress-policy base entry 60 from policy-group frontends to network-macro branch protocol tcp destination-port 443 action allow stateful

# What every neighbor will be told, before anything happens.
commit check | match "bgp-neighbor .*[0-9]|vpn 10|type 2"
commit comment "acme: a PE and a VTEP"
