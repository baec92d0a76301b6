"""The quickstart's own model: a Llama of about a million parameters, untrained, with a tokenizer made for its task."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ratchet.checkpoints import save_checkpoint
from ratchet.prompts import asked_text
from ratchet.records import Problem
from ratchet.steps import run_step
from ratchet.storage import file_digest, read_records

PAD, START, END = "<pad>", "<start>", "<end>"
CONTEXT = 256
# Digits stand alone, so that a number is read as its digits; a word takes the spaces around it with it.
PIECES = r"\d| ?\p{L}+ ?|[^\d\p{L}]+"


def make_model(problems: Path, out: Path, seed: int) -> Path:
    """The checkpoint folder `out` with random weights; the tokenizer knows the words of the training problems."""

    def work(partial: Path) -> None:
        train = [problem for problem in read_records(problems, Problem) if problem.split == "train"]
        tokenizer = _tokenizer([text for p in train for text in (asked_text(p, "plain"), p.solution or "")])
        save_checkpoint(_untrained(len(tokenizer), seed), tokenizer, partial)

    return run_step(out, {"problems": file_digest(problems), "seed": seed}, work)


def _tokenizer(texts: Sequence[str]) -> Any:
    from tokenizers import Regex, Tokenizer
    from tokenizers.decoders import ByteLevel as ByteLevelDecoder
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
    from tokenizers.processors import TemplateProcessing
    from tokenizers.trainers import BpeTrainer
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(BPE())
    core.pre_tokenizer = Sequence(
        [Split(Regex(PIECES), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    core.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=512,
        special_tokens=[PAD, START, END],
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    core.post_processor = TemplateProcessing(single=f"{START} $A", special_tokens=[(START, core.token_to_id(START))])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token=PAD, bos_token=START, eos_token=END, model_max_length=CONTEXT
    )


def _untrained(vocabulary: int, seed: int) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=128,
            intermediate_size=448,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=True,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        )
    )
