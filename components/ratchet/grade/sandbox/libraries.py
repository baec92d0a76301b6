"""Of the standard library what programs import most, imported before all else in a worker.

A child then finds it there. And what is imported first lies apart from the sandbox's own modules, of which a child uses
nearly all: the fewer pages of memory these share with what is not used, the fewer each child has to copy.
"""

import importlib

_MOST_USED = "bisect collections copy functools heapq itertools math operator random re string typing"
# What the sandbox itself brings along.
_OTHERS = "ctypes gc json pathlib resource select signal socket struct"
for _name in f"{_MOST_USED} {_OTHERS}".split():
    importlib.import_module(_name)
