# A change of acme's policy, to be taken back by `rollback 1`: port 22 in place of 8443.
set enterprise acme domain prod ingress-policy base entry 10 destination-port 22
delete enterprise acme domain prod ingress-policy base entry 10 destination-port 8443
set enterprise acme domain prod egress-policy base entry 10 destination-port 22
delete enterprise acme domain prod egress-policy base entry 10 destination-port 8443
commit comment "acme: 22 in place of 8443"
