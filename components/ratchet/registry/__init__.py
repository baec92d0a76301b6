"""MLflow: what was trained, how it was measured and what was decided about it."""
