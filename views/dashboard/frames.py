"""Where the parts of a dashboard stand, and the frames of its panels, in the words of Textual's CSS."""

from __future__ import annotations

__all__ = ["CSS"]

CSS = """
Screen { layout: vertical; overflow: hidden; }
FilterLine { height: 1; width: 1fr; background: $panel; }
CommandLine { height: auto; max-height: 70%; width: 1fr; background: $surface; }
CommandLine > Output { height: auto; max-height: 60vh; width: 1fr; border-top: solid $primary; }
CommandLine > Horizontal { height: 1; width: 1fr; background: $panel; }
Help { layer: above; dock: top; width: 1fr; height: 1fr; background: $surface; border: round $primary; }
Screen { layers: below above over; }
.panel { border: round $secondary; border-title-color: $primary; border-title-style: bold; }
.panel { border-subtitle-color: $primary; }
.panel:focus-within { border: round $primary; }
.ascii .panel { border: ascii $secondary; }
.ascii Help { border: ascii $primary; }
.ascii CommandLine > Output { border-top: ascii $primary; }
Input { background: $panel; }
"""
