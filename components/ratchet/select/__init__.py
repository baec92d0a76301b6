"""The examples of the next training iteration."""

from ratchet.select.examples import EXAMPLES_FILE, select_correct, select_solutions

__all__ = ["EXAMPLES_FILE", "select_correct", "select_solutions"]
