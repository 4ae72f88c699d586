"""The policy store: what the operator wants, checked, kept and never lost.

It exists so that every other package can ask one question, "what is configured?", and get a typed answer in
constant time.

    objects.py ──derive──> nodes.py ──> words.py, verbs.py, completion.py, text/, rules/, reference.py ...
        │
        └─ facts ─> configuration.py (Running, Overlay) <── candidate.py <── lines of verbs, files
                              │        └─ acting.py: what of it acts, with what templates give
                           store/ (SQLite: revisions, candidates, journal, audit)

Read next: `schema/objects.py` (the whole configuration, declared once), then `configuration.py`.
Imports nothing of ours.
"""
