"""What people see: plain read-models (models.py) and the renderers that turn them into text or JSON.

Why it exists: a command's handler returns data; whether a person sees a table, a script one JSON document or
a dashboard a panel is decided here and nowhere else. Nothing here knows the controller: models are frozen
dataclasses of plain values.

Read next: models.py (the read-models), render.py (which renderer takes which model), table.py, errors.py, json.py;
plot.py (graphs in the terminal) and chart.py (as pictures, in a process of its own); dashboard/__init__.py.
"""
