"""Runs programs that a model wrote, out of reach of what grades them.

In the order of a program's way: `pool` (in the grader) hands it to a `worker` process, which makes an `attempt` of it:
its `zygote`, which never saw a test, forks a `child`, isolated (`isolation`, by `namespaces`, `landlock` and `seccomp`
through `kernel`) before it runs the program; the `tester`, one of the worker's `testers`, runs what `names` has read of
the tests and calls the program through a `lifeline`. Only `values` cross between the two.

These modules import the standard library and each other alone: a worker starts without the rest of Ratchet.
"""
