"""Reading a configuration text in whichever of the three forms it is."""

from __future__ import annotations

from data.schema.verbs import VERBS
from data.text.hierarchy import read_hierarchy
from data.text.json_form import read_json
from data.text.loaded import Loaded
from data.text.set_lines import is_remark, read_set_lines


def read(text: str, source: str) -> Loaded:
    """Read set lines, a hierarchy or JSON, told apart by how the text begins; `source` names it in errors."""
    lines = text.splitlines()
    first = next((line.strip() for line in lines if not is_remark(line)), "")
    if first.startswith("{"):
        return read_json(text, source)
    if first.split(None, 1)[:1] and first.split(None, 1)[0] in VERBS:
        return read_set_lines(lines, source)
    return read_hierarchy(text, source)
