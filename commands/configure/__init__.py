"""Configure mode: moving about (mode.py), one line one change (edit.py), files, commit now, confirmed, on a schedule,
and the rescue configuration.

Read next: mode.py, commit.py.
"""
