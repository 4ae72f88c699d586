"""HTTPS out of the daemon: dashboards in a browser, and /metrics for a Prometheus.

Why it exists: the wall display and the colleague without a terminal look at the same screens as the operator, and
monitoring wants the same numbers; both without a second server, a second list of users or a second program.

    listener.py       follows `web` of the configuration, commit by commit
      └─ server.py    the routes, what every answer carries, who must have logged in
           ├─ entrance.py      a connection before and below HTTP: limits, TLS, deadlines
           ├─ certificate.py   the file that `web certificate` names, or one of the controller's own authority
           ├─ logins.py        who has logged in: cookies, idleness, the end of both
           ├─ pages.py         the login page, the page with the dashboard, leaving
           ├─ dashboards.py    the websocket: one dashboard is one session of its user
           ├─ browser.py       the session's other end: bytes to the terminal in the page, keys from it
           └─ metrics.py       /metrics: who may read it, made once for all who ask within a second

aiohttp, textual-serve and textual cost 0.5 s of imports: listener.py alone is imported at start, the rest when the
listener first opens, in a thread. What a page loads comes from here; no other host learns of it.

Read next: listener.py, server.py, dashboards.py.
"""
