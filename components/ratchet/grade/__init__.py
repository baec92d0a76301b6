"""Is an attempt right? Four outcomes, never a bare bool."""

from ratchet.grade.grading import ATTEMPTS_FILE, GRADES_FILE, grade, outcome_counts

__all__ = ["ATTEMPTS_FILE", "GRADES_FILE", "grade", "outcome_counts"]
