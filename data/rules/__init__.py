"""What must be true of a configuration as a whole before it is committed.

Each rule is a small pure function registered for a kind of object; it looks at one edited object and at what
refers to it, so a check costs the edits, not the configuration. `registry.py` has the mechanism; one file per
subject holds the rules:

    any object      leaves.py (mandatory, well-formed), references.py, unique.py
    the network     domains.py, subnets.py, vports.py, attachments.py (uplinks), addresses.py (who has which),
                    dhcp.py, entries.py
    services        routes.py, redirects.py, virtual.py, balancers.py, mirrors.py, qos.py
    the WAN         wan.py
    templates       templates.py, inherited.py (their problems are said once)
    nshell itself   controller.py, hypervisors.py, accounts.py, web.py,
                    told.py (thresholds, syslog servers)
"""

from data.rules import (
    accounts,
    addresses,
    attachments,
    balancers,
    controller,
    dhcp,
    domains,
    entries,
    hypervisors,
    leaves,
    mirrors,
    qos,
    redirects,
    references,
    routes,
    subnets,
    templates,
    told,
    unique,
    virtual,
    vports,
    wan,
    web,
)
from data.rules.registry import check

__all__ = [
    "accounts",
    "addresses",
    "attachments",
    "balancers",
    "check",
    "controller",
    "dhcp",
    "domains",
    "entries",
    "hypervisors",
    "leaves",
    "mirrors",
    "qos",
    "redirects",
    "references",
    "routes",
    "subnets",
    "templates",
    "told",
    "unique",
    "virtual",
    "vports",
    "wan",
    "web",
]
