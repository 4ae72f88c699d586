"""The screens of a dashboard, one file each, in the order of their numbers.

A new one is a class of board.py in a file of its own, and its line in BOARDS.
"""

from __future__ import annotations

from views.dashboard.board import Board
from views.dashboard.screens.bgp import Neighbors
from views.dashboard.screens.commits import Commits
from views.dashboard.screens.events import Events
from views.dashboard.screens.flows import Flows
from views.dashboard.screens.hypervisors import Hypervisors
from views.dashboard.screens.overview import Overview
from views.dashboard.screens.topology import Topology
from views.dashboard.screens.vports import Vports

__all__ = ["BOARDS"]

BOARDS: tuple[type[Board], ...] = (
    Overview,
    Hypervisors,
    Vports,
    Flows,
    Topology,
    Neighbors,
    Commits,
    Events,
)
"""The screen at 0 has the key 1."""
