"""The configuration as text, both ways: set lines, hierarchy with braces, JSON.

Every reader makes a `Loaded`: leaf values by path, no UUIDs. `candidate.py` turns that into edits. Each form
that is printed reads back to the identical configuration; set lines do so in any order.
"""

from data.text.hierarchy import hierarchy_lines
from data.text.json_form import json_form, json_text
from data.text.loaded import Loaded
from data.text.read import read
from data.text.set_lines import set_lines

__all__ = ["Loaded", "hierarchy_lines", "json_form", "json_text", "read", "set_lines"]
