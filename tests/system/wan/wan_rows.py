"""What an operator sees of BGP, as rows: sessions that are up, and routes."""

from __future__ import annotations

from typing import Any

from tests.system.network import Network


def established(network: Network) -> set[str]:
    """The neighbours whose session is up."""
    return {row["name"] for row in network.rows("show bgp summary") if row["state"] == "established"}


def routes(network: Network, **what: str) -> list[dict[str, Any]]:
    """The routes with these values: `routes(network, neighbor="pe")`."""
    return [
        dict(row)
        for row in network.rows("show bgp routes")
        if all(row[name.replace("_", "-")] == value for name, value in what.items())
    ]
