"""`show`: what is configured and what became of it. One subject per file, named like the word after show.

What is counted over time is in ../statistics/, what follows single packets and flows in ../diagnose/.

Read next: dvrs.py for a short one, bgp.py for a family with its requests.
"""
