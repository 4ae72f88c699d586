"""Operators' sessions: one way to run a line, whatever brought it, and everything that users have of their own.

    session.py    a line from lexer to screen           context.py    what its handlers see, as far as the class allows
    batch.py      many lines at once                    prompt.py, streaming.py, failing.py    what is shown
    accounts.py   whose class is what                   confined.py   the network for those who see a part of it
    candidates.py private candidates, kept              exclusive.py, scheduled.py   who may commit, and when
    audit.py      who did what

Read next: session.py, then context.py.
"""
