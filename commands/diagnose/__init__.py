"""Finding out why: where a packet goes (trace.py), why it does not come through (why_not.py), what a flow is there for
(why.py), and what a host can reach or say of itself (ping.py, tools.py).

Read next: trace.py, question.py.
"""
