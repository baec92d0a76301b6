"""The quickstart's own task: generated word problems in several steps of arithmetic.

A story starts with an amount and goes through events. The gains and losses at the start commute, so a problem of three
of them has several correct solutions that write different equations: diversity among correct answers means something
here. The last event may rescale what there is (doubled, or shared out), which fixes its place.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from ratchet.records import Problem

LARGEST = 40  # no number in a problem or a solution exceeds it
LEVELS = (2, 3, 4)
NAMES = ("Ann", "Ben", "Cara", "Dan", "Eve", "Finn", "Gus", "Hana")
THINGS = ("pens", "cards", "shells", "coins", "books", "plums")
# The out-of-distribution suite tells the same arithmetic of people and things that no training problem names.
OOD_NAMES = ("Ines", "Jack", "Kim", "Leo")
OOD_THINGS = ("keys", "nuts", "rings", "kites")

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


def draw_story(rng: random.Random, level: int) -> Story:
    """A story of `level` events in which every amount stays between 0 and LARGEST, whatever the order of events."""
    while True:
        rescales = level > 1 and rng.random() < 0.4
        start = rng.randint(2, 20)
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


def tell(story: Story, rng: random.Random, names: tuple[str, ...], things: tuple[str, ...]) -> str:
    """The story in words, ending with its question."""
    words = {"name": rng.choice(names), "things": rng.choice(things)}
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


def generate(seed: int, train: int, evaluate: int, ood: int, levels: tuple[int, ...] = LEVELS) -> Iterator[Problem]:
    """Problems of the three splits; no two of them, in any split, tell the same story of numbers."""
    rng = random.Random(seed)
    seen: set[Story] = set()
    for split, count in (("train", train), ("eval", evaluate), ("ood", ood)):
        far = split == "ood"
        for index in range(count):
            level = levels[index % len(levels)]
            story = draw_story(rng, level)
            while story in seen:
                story = draw_story(rng, level)
            seen.add(story)
            prompt = tell(story, rng, OOD_NAMES if far else NAMES, OOD_THINGS if far else THINGS)
            solution, answer = solve(story, rng)
            concepts = sorted({e.concept for e in (*story.events, story.last) if e is not None})
            yield Problem(
                id=f"{split}-{index:05d}",
                suite="arithmetic-ood" if far else "arithmetic",
                prompt=prompt,
                answer=str(answer),
                kind="numeric",
                group=str(level),
                concepts=tuple(concepts),
                solution=solution,
                split=split,
            )
