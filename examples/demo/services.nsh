# infra: a web service that both tenants share, though their own addresses are the same. It has one address, and two
# vports serve it: one that does not accept connections gets none.
set enterprise infra domain services shared
set enterprise infra domain services access-prefix 100.64.0.0/24
set enterprise infra domain services zone svc subnet svc prefix 172.16.0.0/24
set enterprise infra domain services vport www-1 subnet svc mac 02:00:ac:10:00:0b address 172.16.0.11
set enterprise infra domain services vport www-2 subnet svc mac 02:00:ac:10:00:0c address 172.16.0.12
set enterprise infra domain services load-balancer www address 172.16.0.100 port 80
set enterprise infra domain services load-balancer www backend www-1
set enterprise infra domain services load-balancer www backend www-2

# Both use it; acme's policy has to allow it, umbrella has none.
set enterprise acme domain prod use infra/services
set enterprise acme network-macro services prefix 172.16.0.0/24
set enterprise acme domain prod ingress-policy base entry 50 from policy-group frontends to network-macro services protocol tcp destination-port 80 action allow stateful
set enterprise umbrella domain prod use infra/services
commit comment "infra: a shared service behind one address"
