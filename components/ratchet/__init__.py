"""Ratchet: self-improvement loops for language models that cannot slip back."""

__version__ = "0.1.0"
