"""The policy store: what the operator wants, checked, kept and never lost.

It exists so that every other package can ask one question, "what is configured?", and get a typed answer in
constant time.

    objects.py ──derive──> nodes.py ──> words.py, completion.py, text/, difference.py, rules/, reference.py
        │
        └─ facts ─> configuration.py (Running, Overlay) <── candidate.py <── set lines, files
                              │
                           store/ (SQLite: revisions, candidates, journal)

Read next: `schema/objects.py` (the whole configuration, declared once), then `configuration.py`.
Imports nothing of ours.
"""
