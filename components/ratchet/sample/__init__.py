"""n attempts a problem from a checkpoint."""

from ratchet.sample.draw import SAMPLES_FILE, sample
from ratchet.sample.settings import Sampling

__all__ = ["SAMPLES_FILE", "Sampling", "sample"]
