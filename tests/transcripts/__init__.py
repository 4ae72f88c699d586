"""Command lines and what the shell answers, replayed through a real daemon."""
