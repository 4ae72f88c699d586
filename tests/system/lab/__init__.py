"""The lab itself, up, down and halfway, and the demo that runs in it."""
