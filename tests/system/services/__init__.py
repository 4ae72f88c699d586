"""One file per service of the edge, with real packets, also after a move and a restart."""
