"""n attempts a problem from a checkpoint."""

from ratchet.sample.draw import SAMPLES_FILE, sample, truncation
from ratchet.sample.endpoint import endpoint_at
from ratchet.sample.engine import Endpoint
from ratchet.sample.settings import Sampling

__all__ = ["SAMPLES_FILE", "Endpoint", "Sampling", "endpoint_at", "sample", "truncation"]
