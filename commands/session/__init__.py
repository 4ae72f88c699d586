"""The session itself: its mode, its screen, its aliases, help and completion, dashboards, and ending another's.

Read next: operational.py, screen.py.
"""
