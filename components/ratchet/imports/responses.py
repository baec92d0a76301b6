"""The responses in one record of lm-evaluation-harness, and which of them a score speaks of."""

from dataclasses import dataclass
from typing import Any

from ratchet.imports.imported import Place
from ratchet.imports.parsing import shown

NO_ANSWER = "[invalid]"  # what the harness's regex filters give where nothing matched
Graded = tuple[Any, str | None, str | None]  # a score, the text that it speaks of, the answer that was compared


@dataclass(frozen=True, slots=True)
class Responses:
    """`texts` are the responses of a task that generates (None for one that compares log-likelihoods)."""

    texts: tuple[str, ...] | None
    filtered: tuple[Any, ...]
    arguments: tuple[tuple[Any, ...], ...]

    @property
    def parameters(self) -> dict[str, Any]:
        """The generation parameters as they were passed to the model; empty where the record has none."""
        last = self.arguments[0][-1] if self.arguments and self.arguments[0] else None
        return last if self.texts is not None and isinstance(last, dict) else {}

    def of_one_score(self, score: Any, kept: str | None, metric: str, place: Place) -> Graded:
        """One score for the document: it must speak of one answer, and which text that was in must be known."""
        if self.texts is None:
            return score, None, self._choice() if metric == "acc" else None
        answer = self.filtered[0] if self.filtered else None
        if isinstance(answer, list):
            if len(answer) != 1:
                raise place.error(
                    f"one {metric} for {len(answer)} responses",
                    "a score for each response, or a filter that keeps one",
                    "choose another filter, or grade the responses with `ratchet grade`",
                )
            answer = answer[0]
        text = self.texts[0] if len(self.texts) == 1 or kept == "first" else None
        return score, text, _answer(answer)

    def of_each(self, scores: list[Any], metric: str, place: Place) -> list[Graded]:
        """A score for each response."""
        if self.texts is None or len(scores) != len(self.texts):
            found = f"{metric} = a list of {len(scores)} for {len(self.texts or ())} responses"
            raise place.error(found, "one score, or one for each response")
        answers = self.filtered[0] if self.filtered else None
        if not isinstance(answers, list) or len(answers) != len(scores):
            answers = [None] * len(scores)
        return [(score, text, _answer(a)) for score, text, a in zip(scores, self.texts, answers, strict=True)]

    def _choice(self) -> str | None:
        """The continuation of the highest log-likelihood, which `acc` compares; None where contexts differ."""
        contexts = {str(argument[0]) for argument in self.arguments if argument}
        if len(contexts) != 1 or len(self.arguments) != len(self.filtered):
            return None
        try:
            likelihoods = [float(entry[0]) for entry in self.filtered]
            best = self.arguments[max(range(len(likelihoods)), key=likelihoods.__getitem__)][1]
        except (TypeError, ValueError, IndexError, KeyError):
            return None
        return best.strip() if isinstance(best, str) else None


def responses_of(record: dict[str, Any], place: Place) -> Responses:
    """The responses of a record: `resps` holds, for each request, one entry for each repeat."""
    responses, filtered = (record.get(name) for name in ("resps", "filtered_resps"))
    if not isinstance(responses, list) or not responses or not all(isinstance(entry, list) for entry in responses):
        raise place.error(f"resps = {shown(responses)}", "a list of responses for each request")
    if not isinstance(filtered, list):
        raise place.error(f"filtered_resps = {shown(filtered)}", "a list")
    generated = len(responses) == 1 and all(isinstance(text, str) for text in responses[0])
    if generated and not responses[0]:
        raise place.error("no response", "at least one")
    return Responses(tuple(responses[0]) if generated else None, tuple(filtered), _arguments(record, place))


def _arguments(record: dict[str, Any], place: Place) -> tuple[tuple[Any, ...], ...]:
    """A tuple for each request, from lists (old versions) or from `gen_args_0: {arg_0: ...}` (new ones)."""
    value = record.get("arguments", [])
    requests = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(requests, list) or not all(isinstance(entry, list | dict) for entry in requests):
        raise place.error(f"arguments = {shown(value)}", "the arguments of each request")
    return tuple(tuple(entry.values() if isinstance(entry, dict) else entry) for entry in requests)


def _answer(value: Any) -> str | None:
    return None if value is None or value == NO_ANSWER else str(value)
