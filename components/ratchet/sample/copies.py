"""Is an attempt a copy of another? Answers that come again although the model's own odds are against it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from math import comb, log

from ratchet.errors import InputError
from ratchet.records import Sample

LEAST_CHANCE = 1e-6  # that a run whose attempts are independent is refused: less than this

Answer = tuple[str, int, float]


def refuse_copies(samples: Iterable[Sample], temperature: float, top_p: float, where: str) -> None:
    """Refuse attempts of which some are copies of others, with a chance below 1e-6 of refusing independent ones.

    An answer of log-probability l and t tokens is drawn with a probability of at most b = exp(l / T) / top_p^t for a
    temperature T >= 1: dividing logits by T raises no p above p^(1/T), and a nucleus of mass top_p raises it by at most
    1 / top_p a token. Of n independent attempts the expected number of sets of c that share an answer of bound b or
    less is at most C(n, c) b^(c - 1), which by Markov's inequality bounds the chance that there is one. Compared with
    1e-6 divided by all the (problem, c) that are looked at, this is a test of the whole run. Below T = 1 the
    log-probability of a whole answer bounds nothing, and nothing is refused.
    """
    if temperature < 1:
        return
    answers: dict[tuple[str, str], list[Answer]] = defaultdict(list)
    for sample in samples:
        # Answers with one text may be different tokens; those of one log-probability as well are the same ones.
        answers[sample.suite, sample.problem_id].append((sample.text, sample.tokens, round(sample.logprob, 2)))
    for (_, problem_id), drawn in answers.items():
        found = _copied(drawn, temperature, top_p, len(answers))
        if found is not None:
            raise InputError(
                f"{found[0]} of {len(drawn)} attempts at problem {problem_id} are the same {found[1]} tokens, "
                f"whose log-probability is {found[2]:.1f}",
                where=where,
                expected="attempts that are drawn one by one, each with its own seed",
                next="turn off whatever caches answers; then remove the result and sample anew",
            )


def _copied(drawn: Sequence[Answer], temperature: float, top_p: float, problems: int) -> tuple[int, int, float] | None:
    """How often the first answer came that came too often, its tokens and log-probability; None where none did."""
    most = log(LEAST_CHANCE) - log(problems * len(drawn))
    for (_, tokens, logprob), count in Counter(drawn).items():
        bound = logprob / temperature - tokens * log(top_p)
        if count > 1 and log(comb(len(drawn), count)) + (count - 1) * bound < most:
            return count, tokens, logprob
    return None
