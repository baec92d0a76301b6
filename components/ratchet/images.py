"""The container images of the components and of the dashboard: one place for their names, tagged with the version.

Each has a folder in `components/images/` with a Containerfile and pinned requirements, which `infra/images/lock.sh`
makes from the extras below.
"""

from ratchet import __version__

REPOSITORY = "ratchet-mlops"
EXTRAS = {
    "base": ("validate", "registry", "kfp"),
    "train": ("train", "kfp"),
    "sample": ("kfp",),  # and vLLM, whose requirements exclude those of the extra `sample`
    "grade": ("grade", "kfp"),
    "dashboard": ("dashboard",),
}
SERVERS = ("dashboard",)  # the images of servers: no step of a pipeline runs in them
# The words "python" in the names keep kfp.local from warning that a subprocess may not stand in for the image.
IMAGES = {name: f"{REPOSITORY}/ratchet-python-{name}:{__version__}" for name in EXTRAS}
COMPILES = ("sample",)  # the images whose step compiles at run time, and that have a C compiler for it
USER = 65532  # the numeric user and group of all images
SCRATCH = "/tmp"  # the one folder that they write to, an emptyDir in a pod
