"""The web server: who is let in, for how long, and what of it a stranger can hold up."""
