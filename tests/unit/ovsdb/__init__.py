"""The OVSDB connection against scripted peers, and the difference that sets a bridge up."""
