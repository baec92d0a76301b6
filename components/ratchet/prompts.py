"""The text a model is asked with: one place, so that training and sampling never differ."""

from ratchet.records import Problem


def plain_prompt(problem: Problem) -> str:
    """The problem's own words and a line break: no chat template."""
    return problem.prompt + "\n"
