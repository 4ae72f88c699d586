"""The hypervisors: who they are, how they are reached, and that their switches hold what was committed.

Why it exists: hypervisors come, hang, are rebooted and go while commits are made, and others change their flows.
Contact with them is one thing, and keeping them right another:

    dial in     listeners.py (dialin.py)   OpenFlow, OVSDB, agents: where, as the configuration says
                contact.py                 who it is, whether it is one of ours; bridges.py: its set-up by OVSDB
                agents.py (agentlink.py)   what agents are told and asked; neighbours.py: whom their hosts keep resolved
                punted.py                  packets that flows send up, for edge/

    keep right  channel.py                 the one way to a switch; patience.py: for how long it may do nothing
                reconcile.py               read back, compare, send the difference
                upkeep.py                  when: workloads that move, hypervisors that return
                drift.py                   what somebody else changed
                remembered.py              where workloads were, over a restart of the controller

Read next: contact.py, reconcile.py, upkeep.py.
"""
