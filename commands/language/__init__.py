"""The grammar engine: what a line may say, declared once beside each handler, and everything that follows from it.

    @command("show dvrs [<dvrs>] [detail]", help="hypervisors ...")      registry.py
        | grammar.py   string -> nodes
        v
    automaton.py   all commands of a mode as one lazily determinised token tree
        |-- parse.py      words -> command and values, or an error at a word (habits.py: what to type instead)
        |-- complete.py   words -> what may follow, with help and live values (Tab and `?`)
        \\-- reference.py  docs/commands.md

Values have types (types.py): names of the schema's lists bring their live values; the tail of set, delete, show and
edit is the schema's own words (statement.py).

Read next: registry.py, grammar.py.
"""
