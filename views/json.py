"""Models as JSON: one document per command, for errors too. A table is a list of objects under `rows`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

from views.graph import Graph
from views.models import Document, Failure, Lines, Model, Moment, Outline, Several, Table, Tree, Trend
from views.moment import iso


def document(model: Model | Failure) -> object:
    """The model as plain JSON values."""
    if isinstance(model, Table):
        keys = [column.key for column in model.columns]
        rows = [dict(zip(keys, map(plain, row), strict=True)) for row in model.rows]
        return {"title": model.title, "note": model.note, "count": len(rows), "rows": rows}
    if isinstance(model, Outline):
        return model.document
    if isinstance(model, Lines):
        return model.document if model.document is not None else {"lines": list(model.lines)}
    if isinstance(model, Document):
        return plain(model.facts)
    if isinstance(model, Several):
        return {name: document(part) for name, part in model.parts.items()}
    if isinstance(model, Tree):
        return model.document()
    if isinstance(model, Failure):
        return {"error": failure_document(model)}
    if isinstance(model, Graph):
        return graph_document(model)
    return plain(dataclasses.asdict(model))


def graph_document(graph: Graph) -> dict[str, object]:
    """A graph as JSON: a value per step and line, null where nothing is known. views/chart.py draws the same."""
    return {
        "title": graph.title,
        "unit": graph.unit,
        "since": iso(graph.since),
        "step": graph.step,
        "lines": [{"label": line.label, "values": list(line.values)} for line in graph.lines],
        "note": graph.note,
    }


def failure_document(failure: Failure) -> dict[str, object]:
    """An error as JSON: absent facts are left out."""
    facts: dict[str, object] = {
        "where": failure.where,
        "cause": failure.cause,
        "remedy": failure.remedy,
        "exit_code": failure.exit_code,
        "kind": failure.kind,
    }
    if failure.line is not None:
        facts |= {"line": failure.line, "file": failure.file, "text": failure.text.strip()}
    if failure.position is not None:
        facts["column"] = failure.position + 1
    if failure.problems:
        facts["problems"] = [
            {"where": where, "cause": cause, "remedy": remedy} for where, cause, remedy in failure.problems
        ]
    if failure.after:
        facts["after"] = failure.after
    return facts


def plain(value: object) -> object:
    """Mappings and tuples as JSON knows them."""
    if isinstance(value, Moment):
        return iso(value)
    if isinstance(value, Trend):
        return list(value.values)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def render_json(model: Model | Failure) -> str:
    """One JSON document on one line."""
    return json.dumps(document(model), ensure_ascii=False)


def render_json_pretty(model: Model | Failure) -> list[str]:
    """The document indented, for a person."""
    return json.dumps(document(model), ensure_ascii=False, indent=2).splitlines()
