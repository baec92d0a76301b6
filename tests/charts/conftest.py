"""The cluster, its images and a namespace, as the tests on a cluster have them."""

from tests.cluster.conftest import cluster, image, namespace

__all__ = ["cluster", "image", "namespace"]
