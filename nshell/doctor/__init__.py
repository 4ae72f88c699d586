"""`nshell doctor`: looks at a machine and says what is missing, what that means, and the command that mends it.

    checks.py ── every check in order, and whom it concerns ──> main.py ──> a table and remedies, or JSON
      program.py, state.py, daemon.py, switch.py, fabric.py     a check is a function: Machine -> Finding, or None where
                                                                it does not apply
    machine.py   all that a check may look at or run, so that tests can break it

It needs no daemon, changes nothing, and asks the store read-only while the daemon works with it. Read next: checks.py.
"""
