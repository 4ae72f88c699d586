"""The configuration schema, declared once; everything an operator types or reads derives from it.

Read in this order: `declaration.py` (what can be declared), `types.py` (values), `objects.py` (the
declaration itself), `nodes.py` (the tree derived from it), `words.py` and `completion.py` (the language),
`reference.py` (the manual).
"""
