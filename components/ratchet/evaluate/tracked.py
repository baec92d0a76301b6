"""A profile's numbers under names that trackers take."""

from ratchet.evaluate.profile import Profile

_TAKEN = {"[group=": "/group_", "[concept=": "/concept_", "]": "", "@": "_at_", "^": "_hat_"}


def tracked_metrics(profile: Profile, intervals: bool = False) -> dict[str, float]:
    """What trackers are given: `suite/pass_at_16` and so on, undefined metrics left out.

    With `intervals` also `suite/pass_at_16/low` and `/high`. KFP refuses NaN and MLflow refuses `@`, `^`, `[` and `=`.
    """
    found: dict[str, float] = {}
    for metric in profile.metrics:
        named = f"{_trackable(metric.suite)}/{_trackable(metric.name)}"
        ends = {"": metric.estimate, "/low": metric.low, "/high": metric.high}
        for suffix, value in ends.items():
            if value is not None and (intervals or not suffix):
                found[named + suffix] = value
    return found


def _trackable(name: str) -> str:
    plain = name
    for written, taken in _TAKEN.items():
        plain = plain.replace(written, taken)
    return "".join(character if character.isalnum() or character in "_-./ " else "_" for character in plain)
