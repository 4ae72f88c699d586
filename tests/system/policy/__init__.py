"""What policies let through, stated by real packets and by ofproto/trace, and what is logged of it."""
