"""The back ends by name."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from ratchet.sample.engine import Engine, Job
from ratchet.sample.openai_engine import openai_engine
from ratchet.sample.settings import Backend
from ratchet.sample.transformers_engine import transformers_engine
from ratchet.sample.vllm_engine import vllm_engine

BACKENDS: dict[Backend, Callable[[Job], AbstractContextManager[Engine]]] = {
    "transformers": transformers_engine,
    "vllm": vllm_engine,
    "openai": openai_engine,
}
