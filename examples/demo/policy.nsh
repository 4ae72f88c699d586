# Two enterprises with the same prefixes on three hypervisors. Applied by `make demo`, or by hand:
#   nshell run examples/demo/policy.nsh

set dvrs hv1 tunnel-address 172.31.0.1
set dvrs hv2 tunnel-address 172.31.0.2
set dvrs hv3 tunnel-address 172.31.0.3

# acme: three tiers; what is not allowed is denied, in both directions
set enterprise acme domain prod zone web subnet web1 prefix 10.1.1.0/24
set enterprise acme domain prod zone app subnet app1 prefix 10.1.2.0/24
set enterprise acme domain prod zone db subnet db1 prefix 10.1.3.0/24
set enterprise acme domain prod policy-group frontends
set enterprise acme domain prod vport web-1 subnet web1 mac 02:00:0a:01:01:0b address 10.1.1.11 policy-group frontends
set enterprise acme domain prod vport web-2 subnet web1 mac 02:00:0a:01:01:0c address 10.1.1.12 policy-group frontends
set enterprise acme domain prod vport app-1 subnet app1 mac 02:00:0a:01:02:0b address 10.1.2.11
set enterprise acme domain prod vport app-2 subnet app1 mac 02:00:0a:01:02:0c address 10.1.2.12
set enterprise acme domain prod vport db-1 subnet db1 mac 02:00:0a:01:03:0b address 10.1.3.11

# ingress: what a vport may send
set enterprise acme domain prod ingress-policy base entry 10 from policy-group frontends to zone app protocol tcp destination-port 8443 action allow stateful
set enterprise acme domain prod ingress-policy base entry 20 from zone app to zone db protocol tcp destination-port 5432 action allow stateful
set enterprise acme domain prod ingress-policy base entry 30 from policy-group frontends to zone app protocol udp destination-port 53 action allow stateful
set enterprise acme domain prod ingress-policy base entry 40 protocol icmp action allow stateful

# egress: what may be sent to a vport
set enterprise acme domain prod egress-policy base entry 10 from policy-group frontends to zone app protocol tcp destination-port 8443 action allow stateful
set enterprise acme domain prod egress-policy base entry 20 from zone app to zone db protocol tcp destination-port 5432 action allow stateful
set enterprise acme domain prod egress-policy base entry 30 from policy-group frontends to zone app protocol udp destination-port 53 action allow stateful
set enterprise acme domain prod egress-policy base entry 40 protocol icmp action allow stateful

commit comment "acme: three tiers"
