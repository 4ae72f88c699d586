"""Where a packet goes, and why: the compiled flows of a state, followed without a switch.

Why it exists: an operator asks why two machines can, or cannot, talk, now or at a former revision, and wants the
answer in words: which hypervisor, which table, which policy entry by whom.

Read next: packet.py (the question), machine.py (what a switch does with it), words.py (the answer).
"""
