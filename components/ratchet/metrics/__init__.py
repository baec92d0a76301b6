"""Pure functions from attempts to numbers; undefined is None or NaN inside arrays, never 0."""
