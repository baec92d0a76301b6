"""The container images that components run in: one place for their names, tagged with the version of the package."""

from ratchet import __version__

REPOSITORY = "ratchet-mlops"
# The words "python" in the names keep kfp.local from warning that a subprocess may not stand in for the image.
IMAGES = {name: f"{REPOSITORY}/ratchet-python-{name}:{__version__}" for name in ("base", "train", "sample", "grade")}
