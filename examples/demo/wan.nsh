# The world outside: a PE router and a VTEP, told routes and telling routes by BGP. Applied by `make demo`, which says
# before where they are, because that differs from lab to lab (by hand: `nshell lab status`):
#   set bgp-neighbor pe address 169.254.92.6
#   set bgp-neighbor vtep address 169.254.92.7
set bgp autonomous-system 65000
set bgp-neighbor pe autonomous-system 65000 family [ vpnv4 vpnv6 ] description "a PE router: MPLS over GRE"
set bgp-neighbor vtep autonomous-system 65000 family evpn description "a VTEP: VXLAN"
commit comment "two neighbors"
