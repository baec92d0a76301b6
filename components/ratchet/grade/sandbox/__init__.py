"""Runs programs that a model wrote, out of reach of what grades them.

In the order of a program's way: `pool` (in the grader) hands it to a `worker` process; the worker forks a `tester`,
which holds the tests, and asks its `zygote`, which never saw a test, for a `child`, which isolates itself (`isolation`,
by `namespaces`, `landlock` and `seccomp` through `kernel`) and runs the program. Only `values` cross between the two.

These modules import the standard library and each other alone: a worker starts without the rest of Ratchet.
"""
