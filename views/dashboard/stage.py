"""The screens upon each other: one stack for each number, of which the last screen of one is seen.

1 Overview                       each keeps its place while another is seen
2 dVRS › hv1 › acme/prod/web-1   <── the stack of 2: Enter puts a screen on it, esc takes one off
3 vports
"""

from __future__ import annotations

from textual.containers import Container

from views.dashboard.board import Board
from views.dashboard.screens import BOARDS

__all__ = ["Stage"]

DEEPEST = 12
"""Screens upon each other."""


class Stage(Container):
    """Shows one screen. Who changes it has to ask for its facts (app.py)."""

    DEFAULT_CSS = """
    Stage { height: 1fr; width: 1fr; }
    Stage > Board { height: 1fr; width: 1fr; }
    """

    def __init__(self, first: int) -> None:
        super().__init__()
        self.current = first
        """The number of the screen at the bottom of the stack, from 0 on."""
        self.stack: list[Board] = []
        self._kept: dict[int, list[Board]] = {}

    @property
    def board(self) -> Board:
        """The screen that is seen."""
        return self.stack[-1]

    async def open(self, number: int) -> None:
        """The screen of this number as it was left; the one that is seen already without what is upon it."""
        if self.stack and number == self.current:
            while await self.back():
                pass
            return
        if self.stack:
            self._kept[self.current] = self.stack
            self.board.display = False
        self.current = number
        self.stack = self._kept.pop(number, [])
        if self.stack:
            self.board.display = True
        else:
            await self._put(BOARDS[number]())

    async def push(self, board: Board) -> bool:
        """Show a screen on top of the one that led to it; whether there is room for one more."""
        if len(self.stack) >= DEEPEST:
            return False
        self.board.display = False
        await self._put(board)
        return True

    async def back(self) -> bool:
        """Go back to the screen that led here; whether there is one."""
        if len(self.stack) < 2:
            return False
        board = self.stack.pop()
        await board.remove()
        self.board.display = True
        return True

    async def _put(self, board: Board) -> None:
        self.stack.append(board)
        await self.mount(board)
