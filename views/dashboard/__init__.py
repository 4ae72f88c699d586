"""Full-screen dashboards (Textual): what an operator looks at all day, over SSH, locally and in a browser.

Why it exists: the same facts as `show`, alive. A screen asks for them in the words of the CLI, by a Source, so what it
shows is what `show` says, confined to what its user may see; it knows neither session nor controller.

Read next: source.py (where facts come from), app.py (the frame all screens share), screens/ (one file each).
"""
