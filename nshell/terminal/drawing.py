"""How prompt_toolkit draws our prompt: what stands on the screen is not drawn a second time when enter is pressed.

prompt_toolkit ends a line by erasing it and drawing prompt and line anew. People do not see that. Programs that drive
the shell through a terminal (scrapli with OpenSSH below it) take what follows their line for its result, and would find
prompt and line in it once more. Here the end is drawn like every key before it, as a difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.renderer import Renderer

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.layout import Layout
    from prompt_toolkit.shortcuts import PromptSession


class RawFile:
    """The file that prompt_toolkit writes to: `raw` takes the text."""

    encoding = "utf-8"

    def __init__(self, raw: Callable[[str], None]) -> None:
        self._raw = raw

    def write(self, text: str) -> int:
        self._raw(text)
        return len(text)

    def flush(self) -> None:
        """Bytes leave by themselves."""

    def isatty(self) -> bool:
        return True


class LineRenderer(Renderer):
    """Draws a prompt that starts at the left edge and has nothing below it."""

    def render(self, app: Application[Any], layout: Layout, is_done: bool = False) -> None:
        """The difference to what was drawn before; behind the last one the cursor is on the line below."""
        app.exit_style = ""  # the same characters in another style would be drawn again
        super().render(app, layout)
        if is_done:
            size = self.output.get_size()
            rows = layout.container.preferred_height(size.columns, size.rows).preferred
            self.output.write_raw("\r\n" * max(1, min(rows, size.rows) - self._cursor_pos.y))
            self.reset()


def draw_once(session: PromptSession[str]) -> PromptSession[str]:
    """The session, drawn by a LineRenderer."""
    app = session.app
    app.renderer = LineRenderer(app.renderer.style, app.output)
    return session


class Unseen(Processor):
    """Shows nothing of what is typed, not even how much."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        return Transformation([], source_to_display=lambda at: 0, display_to_source=lambda at: 0)
