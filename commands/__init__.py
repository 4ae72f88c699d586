"""The language: one grammar engine for operational commands, configuration verbs and pipes, and the commands
themselves.

Why it exists: parsing, completion, `?`, abbreviations, permissions and the reference must never disagree, so
each command says its grammar once, next to its handler, and everything else is derived:

    @command("show dvrs [<dvrs>] [detail]", help="hypervisors ...")      registry.py
        | grammar.py   string -> nodes
        v
    automaton.py   all commands of a mode as one lazily determinised token tree
        |-- parse.py      words -> command and values, or an error at a word (habits.py: what to type instead)
        |-- complete.py   words -> what may follow, with help and live values (Tab and `?`)
        \\-- reference.py  docs/commands.md

Values have types (types.py): names of the schema's lists bring their live values; the tail of set, delete,
show and edit is the schema's own words (statement.py). Handlers take a Context (context.py) and return a
read-model of views/models.py; pipes.py reshapes it. One family of commands per file: show_*.py, tools.py,
configure_*.py; what is counted in statistics/. What several share: lookup.py (what a line names), packet_question.py,
counters.py (what a switch says now).

Read next: registry.py, grammar.py, context.py.
"""
