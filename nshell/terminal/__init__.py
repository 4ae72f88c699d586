"""A person at a terminal: the prompt and its loop, the pager, and plain lines for terminals that cannot draw.

    loop.py      prompt_toolkit over any pair of byte streams      drawing.py   less of its drawing
    stage.py     a dashboard over all of it: fullscreen.py (keys, bytes, size), source.py (its facts), hints.py
    pager.py     long results a page at a time                     plainline.py terminals without cursor movements
    pasted.py    many lines at once
    history.py   what was typed, without secrets

Imported only when somebody comes in interactively: prompt_toolkit takes 200 ms. Read next: loop.py.
"""
