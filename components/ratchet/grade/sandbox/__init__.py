"""Runs programs that a model wrote, out of reach of what grades them.

In the order of a program's way: `pool` (in the grader) hands it to a `worker` process, whose place one of its `testers`
takes for the attempts at one problem. It makes an `attempt` of the program: it takes one of the `children` that the
worker's `zygote`, which never saw a test, has forked ahead, each a `child` that was isolated (`isolation`, by
`namespaces`, `landlock` and `seccomp` through `kernel`) before it got the program; and as the `tester` it runs what
`names` has read of the tests and calls the program through a `lifeline`. Only `values` cross between the two.

These modules import the standard library and each other alone: a worker starts without the rest of Ratchet.
"""
