"""Input that nobody would type: generated lines, texts, sequences of commands and bytes, and what must never happen.

    runs.py         how long: the ordinary run takes seconds, `pytest -m soak tests/fuzz` minutes for each
    lines.py        command lines: from the grammar, mutated, mixed
    states.py       configurations: from the schema, with remarks, secrets and what is deactivated
    targets.py      decoders of bytes from strangers; for hypothesis and for atheris (atheris_run.py)
    packets.py, routes.py   those of packets and of BGP
    place.py        a daemon's sessions in this process

What was found once stands in `test_found.py` under a name of its own.
"""
