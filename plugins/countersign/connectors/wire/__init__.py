"""What the wires of several sources have in common: pages, values, paging, dated files. Pure.

Connectors import from here and never from each other; the registry leaves packages alone.
"""
