"""How surprising a flip is: Fisher's exact test, for all problems at once."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import fisher_exact

from ratchet.compare.flips import fisher


@pytest.mark.parametrize("attempts", [4, 100, None], ids=["few", "many", "mixed"])
def test_it_is_what_scipy_says_of_each_table(attempts: int | None) -> None:
    rng = np.random.default_rng(0)
    n, m = (rng.integers(0, 30, 60) if attempts is None else np.full(60, attempts) for _ in range(2))
    a, b = rng.binomial(n, 0.4), rng.binomial(m, 0.2)
    sides = [SimpleNamespace(counts=SimpleNamespace(correct=c, graded=of)) for c, of in ((a, n), (b, m))]
    rows = zip(a.tolist(), n.tolist(), b.tolist(), m.tolist(), strict=True)
    expected = [fisher_exact([[a, n - a], [b, m - b]]).pvalue if n and m else 1.0 for a, n, b, m in rows]
    assert fisher(*sides) == pytest.approx(np.array(expected), rel=1e-9)
