"""controller/trace/: what a packet does by compiled flows, without a switch."""
