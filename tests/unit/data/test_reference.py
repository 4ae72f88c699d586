"""The configuration reference is what the schema says today."""

from __future__ import annotations

from pathlib import Path

from data.schema.nodes import NODES
from data.schema.reference import reference

FILE = Path(__file__).parents[3] / "docs" / "reference.md"


def test_the_reference_in_docs_is_up_to_date() -> None:
    assert FILE.read_text() == reference(), "run: python -m data.schema.reference > docs/reference.md"


def test_every_leaf_of_the_schema_is_in_the_reference() -> None:
    text = reference()
    for node in NODES.values():
        for leaf in node.leaves.values():
            assert f"| `{leaf.keyword}` |" in text
            assert leaf.facts.help
