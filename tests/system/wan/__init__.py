"""BGP peers, other sites, the underlay and PE routers: FRR, GoBGP and BIRD, with packets both ways."""
