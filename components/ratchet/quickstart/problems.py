"""The quickstart's own task: generated word problems in several steps of arithmetic.

A story starts with an amount and goes through events. The gains and losses at the start commute, so a problem of three
of them has several correct solutions that write different equations: diversity among correct answers means something
here. The last event may rescale what there is (doubled, or shared out), which fixes its place.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from ratchet.errors import InputError
from ratchet.records import Problem, Split

LARGEST = 40  # no amount in a problem or a solution exceeds it
MOST_DRAWS = 1000
LEVELS = (2, 3, 4)  # events a story
STARTS = range(2, 21)
OOD_STARTS = range(21, 28)  # the out-of-distribution suite starts where no training story does
NAMES = ("Ann", "Ben", "Cara", "Dan", "Eve", "Finn", "Gus", "Hana")
THINGS = ("pens", "cards", "shells", "coins", "books", "plums")

GAINS = (" finds {b}.", " buys {b}.", " gets {b} more.")
LOSSES = (" loses {b}.", " sells {b}.", " gives {b} away.")
GROUPS = (" finds {b} bags of {c}.", " buys {b} boxes of {c}.")
DOUBLE = "Then they double."
SHARE = "They go into {b} bowls."
QUESTION = "How many now?"
SHARE_QUESTION = "How many in each?"


@dataclass(frozen=True)
class Event:
    """One thing that happens: `concept` add, subtract, multiply, double or divide, with its numbers."""

    concept: str
    b: int = 0
    c: int = 0

    @property
    def change(self) -> int:
        """What a gain or loss adds to the amount."""
        return {"add": self.b, "subtract": -self.b, "multiply": self.b * self.c}[self.concept]


@dataclass(frozen=True)
class Story:
    """A start, the events that commute, and at most one that rescales at the end."""

    start: int
    events: tuple[Event, ...]
    last: Event | None

    @property
    def level(self) -> int:
        """How many events the story has."""
        return len(self.events) + (self.last is not None)


def draw_story(rng: random.Random, level: int, starts: range) -> Story:
    """A story of `level` events in which every amount stays between 0 and LARGEST, whatever the order of events."""
    while True:
        rescales = level > 1 and rng.random() < 0.4
        start = rng.choice(starts)
        events = tuple(_draw_event(rng) for _ in range(level - rescales))
        losses = sum(e.change for e in events if e.change < 0)
        gains = sum(e.change for e in events if e.change > 0)
        amount = start + losses + gains
        if start + losses < 0 or start + gains > LARGEST:
            continue
        if not rescales:
            return Story(start, events, None)
        choices = [Event("divide", b) for b in (2, 3, 4, 5) if amount % b == 0 and amount > b]
        choices += [Event("double")] if 0 < 2 * amount <= LARGEST else []
        if choices:
            return Story(start, events, rng.choice(choices))


def _draw_event(rng: random.Random) -> Event:
    concept = rng.choices(("add", "subtract", "multiply"), (4, 4, 2))[0]
    if concept == "multiply":
        return Event(concept, rng.randint(2, 3), rng.randint(2, 6))
    return Event(concept, rng.randint(1, 12))


def tell(story: Story, rng: random.Random) -> str:
    """The story in words, ending with its question."""
    words = {"name": rng.choice(NAMES), "things": rng.choice(THINGS)}
    sentences = ["{name} has {a} {things}.".format(a=story.start, **words)]
    phrases = {"add": GAINS, "subtract": LOSSES, "multiply": GROUPS}
    for event in story.events:
        sentences.append(words["name"] + rng.choice(phrases[event.concept]).format(b=event.b, c=event.c, **words))
    question = QUESTION
    if story.last is not None:
        divides = story.last.concept == "divide"
        sentences.append((SHARE if divides else DOUBLE).format(b=story.last.b, **words))
        question = SHARE_QUESTION if divides else QUESTION
    return " ".join([*sentences, question.format(**words)])


def solve(story: Story, rng: random.Random) -> tuple[str, int]:
    """One correct solution, its order of steps drawn at random, and the answer.

    A product may be computed when it is used or before everything else; gains and losses are taken in any order.
    """
    order = rng.sample(story.events, len(story.events))
    early = rng.random() < 0.5
    products = [f"{e.b}*{e.c}={e.change}" for e in order if e.concept == "multiply"]
    steps = products if early else []
    amount = story.start
    for event in order:
        if event.concept == "multiply" and not early:
            steps.append(f"{event.b}*{event.c}={event.change}")
        after = amount + event.change
        sign = "-" if event.change < 0 else "+"
        left, right = (amount, abs(event.change))
        if sign == "+" and rng.random() < 0.5:
            left, right = right, left
        steps.append(f"{left}{sign}{right}={after}")
        amount = after
    if story.last is not None:
        by = story.last.b if story.last.concept == "divide" else 2
        sign = "/" if story.last.concept == "divide" else "*"
        after = amount // by if sign == "/" else amount * by
        steps.append(f"{amount}{sign}{by}={after}")
        amount = after
    return "\n".join([*steps, f"#### {amount}"]), amount


def generate(seed: int, train: int, evaluate: int, ood: int) -> Iterator[Problem]:
    """Problems of the three splits; no two of them, in any split, tell the same story of numbers."""
    rng = random.Random(seed)
    seen: set[Story] = set()
    splits: tuple[tuple[Split, int, range], ...] = (
        ("train", train, STARTS),
        ("eval", evaluate, STARTS),
        ("ood", ood, OOD_STARTS),
    )
    for split, count, starts in splits:
        for index in range(count):
            story = _unseen(rng, LEVELS[index % len(LEVELS)], starts, seen)
            solution, answer = solve(story, rng)
            yield Problem(
                id=f"{split}-{index:05d}",
                suite="larger-starts" if split == "ood" else "arithmetic",
                prompt=tell(story, rng),
                answer=str(answer),
                kind="numeric",
                split=split,
                group=str(story.level),
                concepts=tuple(sorted({e.concept for e in (*story.events, story.last) if e is not None})),
                solution=solution,
            )


def _unseen(rng: random.Random, level: int, starts: range, seen: set[Story]) -> Story:
    """A story that is not in `seen`, which it joins."""
    for _ in range(MOST_DRAWS):
        story = draw_story(rng, level, starts)
        if story not in seen:
            seen.add(story)
            return story
    raise InputError(f"no new story of {level} events after {MOST_DRAWS} draws", expected="fewer problems")
