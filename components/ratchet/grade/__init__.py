"""Is an attempt right? Four outcomes, never a bare bool."""

from ratchet.grade.grading import ATTEMPTS_FILE, GRADES_FILE, grade, outcome_counts, reason_counts
from ratchet.grade.settings import Grading

__all__ = ["ATTEMPTS_FILE", "GRADES_FILE", "Grading", "grade", "outcome_counts", "reason_counts"]
