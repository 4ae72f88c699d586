"""Trust without hypervisors: the authority, tokens, the rows, the door."""
