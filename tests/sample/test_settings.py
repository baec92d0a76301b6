"""Each attempt has a seed of its own."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from ratchet.sample.settings import Sampling, attempt_key, attempt_seed


@given(st.integers(), st.text(max_size=5), st.text(max_size=5), st.sets(st.integers(0, 2**20), min_size=2, max_size=50))
def test_two_attempts_at_one_problem_never_share_the_32_bits_that_torch_reads(
    seed: int, suite: str, problem_id: str, attempts: set[int]
) -> None:
    seeds = [attempt_seed(seed, suite, problem_id, attempt) for attempt in attempts]
    assert len({number % 2**32 for number in seeds}) == len(attempts)
    assert all(0 <= number < 2**63 for number in seeds)


def test_torchs_generator_on_the_cpu_reads_the_lower_32_bits_alone() -> None:
    """The reason for the rule: when this fails, hashes would do."""

    def drawn(seed: int) -> list[float]:
        return torch.rand(4, generator=torch.Generator().manual_seed(seed)).tolist()  # type: ignore[no-any-return]

    assert drawn(7) == drawn(7 + 2**32)
    assert drawn(7) != drawn(8)


def test_seeds_differ_between_problems_suites_and_runs() -> None:
    names = [(0, "s", "p", 0), (1, "s", "p", 0), (0, "t", "p", 0), (0, "s", "q", 0), (0, "s", "p", 1)]
    assert len({attempt_seed(*name) for name in names}) == len({attempt_key(*name) for name in names}) == 5


def test_stop_strings_are_part_of_how_attempts_were_drawn() -> None:
    assert "stop" not in Sampling(1).describe()
    assert Sampling(1, stop=("\n",), prompt="chat").describe() == {
        **Sampling(1).describe(),
        "prompt": "chat",
        "stop": ["\n"],
    }
