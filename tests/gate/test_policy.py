from collections.abc import Callable
from pathlib import Path

import pytest

from ratchet.errors import InputError
from ratchet.gate.policy import policy_digest, read_policy

Policies = Callable[..., Path]


def test_a_policy_is_read_with_its_defaults(policy: Policies) -> None:
    read = read_policy(policy())
    assert read.alpha == 0.05
    assert read.evidence.same_items and not read.evidence.known_sampling
    assert read.axes["pass@16"].max_drop == 0.05 and not read.axes["pass@16"].must_improve
    assert read.against == ["base"]


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("  pass@16:", "  pass@l6:", 7, "unknown axis 'pass@l6'; expected a measure of the main suite"),
        ("  pass@16:", "  pass16:", 7, "did you mean 'pass@16'?"),
        ("  pass@16:", "  pass@0:", 7, "unknown axis"),
        ("  pass@16:", "  pass@04:", 7, "unknown axis"),
        ("  pass@16:", "  ood.sums.pass@1:", 7, "unknown axis 'ood.sums.pass@1'"),
        ("  pass@16:", "  pass@32:", 7, "needs 32 attempts a problem, min_attempts = 16 leaves 16"),
        ("alpha: 0.05", "alhpa: 0.05", 2, "unknown key 'alhpa'"),
        ("max_drop: 0.05}\n  pass@16", "max_dorp: 0.05}\n  pass@16", 6, "did you mean 'max_drop'?"),
        ("pass@16: {tier: critical", "pass@16: {tier: crucial", 7, "expected"),
        ("max_drop: 0.05}\nagainst", "max_drop: -0.1}\nagainst", 7, "greater than or equal to 0"),
        ("max_drop: 0.05}\nagainst", "max_drop: '0.1'}\nagainst", 7, "valid number"),
        ("max_drop: 0.05}\nagainst", "max_drop: .nan}\nagainst", 7, "finite number"),
        ("alpha: 0.05", "alpha: 0.5", 2, "less than 0.5"),
        ("version: 1", "version: 2", 1, "expected"),
        ("against: [base]", "against: [bast]", 8, "'base', 'champion' or 'best'"),
        ("against: [base]", "against: [base, best]", 7, "needs 16 attempts a problem, min_attempts = 16 leaves 8"),
        ("pass@16: {tier: critical, max_drop: 0.05}", "pass@16: {tier: critical}", 7, "no margin"),
        ("max_drop: 0.05}\nagainst", "max_drop: 0.05, max_rise: 0.1}\nagainst", 7, "max_drop and max_rise"),
        ("max_drop: 0.05}\nagainst", "max_rise: 0.05}\nagainst", 7, "expected max_drop or max_relative_drop"),
        ("pass@16: {tier: critical, max_drop", "disparity: {tier: critical, max_drop", 7, "max_rise: less is better"),
        ("pass@16: {tier: critical, max_drop", "retained: {tier: critical, max_relative_drop", 7, "expected max_drop"),
        ("max_drop: 0.05}\nagainst", "max_drop: 0.05, reliable: .5}\nagainst", 7, "it on retained alone"),
        ("pass@16: {tier", "concepts.fringe: {tier", 7, "without concepts.fringe"),
        ("pass@16: {tier", "diversity.embedding.correct: {tier", 7, "unknown axis"),
        ("pass@16: {tier", "diversity.equation.correct: {tier", 7, "did you mean 'diversity.equations.correct'?"),
        ("against: [base]", "against: [base]\nlineage: {spend: equal}", 9, "no rounds"),
        ("against: [base]", "against: [base]\nlineage: {spend: open, rounds: 3}", 9, "rounds = 3 with spend: open"),
        ("against: [base]", "against: [base]\noverride: {reason: r, by: b, expires: soon}", 9, "valid date"),
        ("against: [base]", "against: []", 8, "at least 1 item"),
        ("{main: sums}", "{main: sums, ood: [sums]}", 3, "suite 'sums' again"),
        ("{tier: critical", "{tier: advisory", 5, "no axis is critical"),
        (
            "0.02}",
            "0.02, min_isolation: namespace}",
            4,
            "'namespace'; expected null or one of namespaces, landlock, proc",
        ),
        ("0.02}", "0.02,\n  min_isolation: landlok}", 5, "did you mean 'landlock'?"),
        ("0.02}", "0.02, min_isolation: none}", 4, "evidence.min_isolation = 'none'"),
        ("0.02}", "0.02, min_isolation: [process]}", 4, "expected null or one of"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(policy: Policies, old: str, new: str, line: int, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_policy(policy(old, new))
    assert f"policy.yaml:{line}:" in str(caught.value)
    assert said in str(caught.value)


def test_a_policy_that_asks_for_no_isolation_keeps_the_digest_that_it_had_before_there_was_the_key(
    policy: Policies,
) -> None:
    plain = policy_digest(read_policy(policy()))
    assert plain == policy_digest(read_policy(policy("0.02}", "0.02, min_isolation: null}")))
    assert plain != policy_digest(read_policy(policy("0.02}", "0.02, min_isolation: process}")))
    assert plain == "sha256:5bbf924b2867a0ebb4310abaea891f395596fe073ee79eb7d5dfa641ff74745b"


def test_empty_axes_are_refused(tmp_path: Path, policy: Policies) -> None:
    text = policy().read_text()
    emptied = text[: text.index("axes:")] + "axes: {}\nagainst: [base]\n"
    path = tmp_path / "empty.yaml"
    path.write_text(emptied)
    with pytest.raises(InputError, match="axes is empty"):
        read_policy(path)


def test_must_improve_belongs_to_critical_axes(policy: Policies) -> None:
    with pytest.raises(InputError, match="must_improve on an axis of tier supporting"):
        read_policy(policy("pass@16: {tier: critical", "pass@16: {must_improve: true, tier: supporting"))


def test_an_axis_of_an_ood_suite_is_measured_there(policy: Policies) -> None:
    read = read_policy(policy("{main: sums}", "{main: sums, ood: [a.b]}", "  pass@16:", "  ood.a.b.pass@16:"))
    found = read.measured("ood.a.b.pass@16")
    assert (found.suite, found.measure, found.attempts_needed) == ("a.b", "pass@16", 16)
    assert (read.measured("pass@1").suite, read.measured("disparity.a.b").suite) == ("sums", "a.b")


def test_the_nearest_ood_axis_is_suggested(policy: Policies) -> None:
    with pytest.raises(InputError, match="did you mean 'ood.hard.pass@1'"):
        read_policy(policy("{main: sums}", "{main: sums, ood: [hard]}", "  pass@16:", "  ood.hrad.pass@1:"))


def test_the_digest_ignores_layout_and_defaults_and_sees_every_margin(policy: Policies) -> None:
    plain = policy_digest(read_policy(policy()))
    assert policy_digest(read_policy(policy("{main: sums}", "{ main: 'sums', ood: [] }  # a comment"))) == plain
    assert policy_digest(read_policy(policy("max_drop: 0.05}\nagainst", "max_drop: 0.06}\nagainst"))) != plain
