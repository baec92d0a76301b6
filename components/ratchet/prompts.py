"""The text a model is asked with: one place, so that training and sampling never differ."""

from typing import Any, Literal, get_args

from ratchet.errors import InputError
from ratchet.records import Problem
from ratchet.storage import Header

Prompt = Literal["plain", "chat"]


def asked_text(problem: Problem, prompt: Prompt) -> str:
    """What goes into a prompt: of `plain` the problem's words and a line break, of `chat` its words as they are."""
    return problem.prompt + "\n" if prompt == "plain" else problem.prompt


def text_tokens(text: str, tokenizer: Any, prompt: Prompt) -> list[int]:
    """The tokens that a model is asked a text with.

    `plain` is the text with the tokenizer's special tokens; `chat` the tokenizer's chat template around it as the
    user's turn, up to where the answer begins.
    """
    if prompt == "plain":
        return list(tokenizer(text)["input_ids"])
    messages = [{"role": "user", "content": text}]
    whole = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return list(tokenizer(whole, add_special_tokens=False)["input_ids"])


def prompt_tokens(problem: Problem, tokenizer: Any, prompt: Prompt) -> list[int]:
    """The tokens that a model is asked a problem with."""
    return text_tokens(asked_text(problem, prompt), tokenizer, prompt)


def stated_prompt(stated: Header | None, where: object) -> Prompt:
    """The kind of prompt in sampling parameters or in a header of examples, plain where they say nothing of it."""
    found = (stated or {}).get("prompt", "plain")
    for kind in get_args(Prompt):
        if found == kind:
            return kind  # type: ignore[no-any-return]
    raise InputError(f"prompt = {found!r}", where=str(where), expected="one of " + ", ".join(get_args(Prompt)))


def require_template(tokenizer: Any, prompt: Prompt, where: object) -> None:
    """Refuse chat prompts for a tokenizer that has no chat template."""
    if prompt == "chat" and not getattr(tokenizer, "chat_template", None):
        raise InputError(
            "a tokenizer without a chat template",
            where=str(where),
            expected="a chat template, for prompts of kind 'chat'",
            next="ask with --prompt plain, or save the tokenizer with its template",
        )
