"""What passes through the network, counted: read from the switches, added up, kept as series.

Why it exists: an operator looks at numbers all day, and they must be the same everywhere (`show statistics`, graphs,
dashboards, /metrics, thresholds), go on over moves and restarts, and cost the network nothing.

    switches, BGP, PE ── collect ──> what was counted since the last look ──> account ──> per object, per level
                                                                                │
                           thresholds, dashboards, /metrics <── latest ─────────┤
                           graphs, show statistics <── series (SQLite) <── archive

Read next: keys.py (what is counted), service.py (the whole as others see it), archive/ (how series are kept).
"""
