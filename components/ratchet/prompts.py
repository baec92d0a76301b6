"""The text a model is asked with: one place, so that training and sampling never differ."""

from typing import Any, Literal

from ratchet.errors import InputError
from ratchet.records import Problem

Prompt = Literal["plain", "chat"]


def plain_prompt(problem: Problem) -> str:
    """The problem's own words and a line break: no chat template."""
    return problem.prompt + "\n"


def prompt_tokens(problem: Problem, tokenizer: Any, prompt: Prompt) -> list[int]:
    """The tokens that a model is asked a problem with.

    `plain` is the plain prompt with the tokenizer's special tokens; `chat` the tokenizer's chat template around the
    problem's words as the user's turn, up to where the answer begins.
    """
    if prompt == "plain":
        return list(tokenizer(plain_prompt(problem))["input_ids"])
    messages = [{"role": "user", "content": problem.prompt}]
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def require_template(tokenizer: Any, prompt: Prompt, where: object) -> None:
    """Refuse chat prompts for a tokenizer that has no chat template."""
    if prompt == "chat" and not getattr(tokenizer, "chat_template", None):
        raise InputError(
            "a tokenizer without a chat template",
            where=str(where),
            expected="a chat template, for prompts of kind 'chat'",
            next="ask with --prompt plain, or save the tokenizer with its template",
        )
