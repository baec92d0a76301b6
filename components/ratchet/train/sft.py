"""One iteration of supervised fine-tuning through TRL: checkpoint and examples in, checkpoint out."""

import json
import os
import random
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import is_zipfile

from ratchet.checkpoints import load_model, load_tokenizer, save_checkpoint
from ratchet.errors import InputError
from ratchet.identity import checkpoint_digest
from ratchet.progress import Advance, tracking
from ratchet.prompts import Prompt, require_template, stated_prompt, text_tokens
from ratchet.records import Example
from ratchet.steps import run_step
from ratchet.storage import file_digest, read_with_header
from ratchet.train.ranks import Tell, place, shared_out, together

if TYPE_CHECKING:
    from transformers import TrainerCallback

BATCHES_A_STRETCH = 20  # batches are sorted by length within this many, as a compromise between padding and chance


@dataclass(frozen=True, slots=True)
class SFT:
    """How an iteration is trained: the loss counts the completion's tokens alone."""

    epochs: int
    batch_size: int
    learning_rate: float
    max_length: int = 256
    warmup: float = 0.06  # share of the steps
    save_steps: int = 200
    seed: int = 0


def train_sft(checkpoint: Path, examples: Path, out: Path, settings: SFT) -> Path:
    """The checkpoint folder `out`: the given checkpoint after `settings.epochs` passes over the examples.

    A call that was killed goes on from its last saved training state. Under torchrun all processes make the one call
    together: the batches are those of one process, shared out, and so is the result but for the rounding of sums.
    """

    def lead(tell: Tell) -> None:
        made_from = {
            "method": "sft",
            "checkpoint": checkpoint_digest(checkpoint),
            "examples": file_digest(examples),
            **asdict(settings),
        }

        def work(partial: Path) -> None:
            states = partial / "training"
            state = _last_state(states)
            tell((states, state))
            trainer = _trained(checkpoint, examples, settings, states, state)
            save_checkpoint(trainer.model, trainer.processing_class, partial)
            shutil.rmtree(states, ignore_errors=True)

        run_step(out, made_from, work)

    together(lead, lambda told: _trained(checkpoint, examples, settings, *told))
    return out


def _trained(checkpoint: Path, examples: Path, settings: SFT, states: Path, state: Path | None) -> Any:
    """The trainer after its work, in each process; rank 0 alone writes, and tells how far it is."""
    trainer = _trainer(checkpoint, examples, states, settings)
    if place()[0]:
        trainer.train(resume_from_checkpoint=state and str(state))
        return trainer
    with tracking("train", _total_steps(trainer), "steps", already=_step_of(state) if state else 0) as advance:
        trainer.add_callback(_reporting(advance))
        trainer.train(resume_from_checkpoint=state and str(state))
    return trainer


def _trainer(checkpoint: Path, examples: Path, states: Path, settings: SFT) -> Any:
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import SFTTrainer

    tokenizer = load_tokenizer(checkpoint)
    learned, header = read_with_header(examples, Example)
    prompt = stated_prompt(header, examples)
    require_template(tokenizer, prompt, checkpoint)
    rows = tokenized(learned, tokenizer, settings.max_length, examples, prompt)
    lengths = [len(ids) for ids in rows["input_ids"]]
    order = batched_by_length(lengths, settings.epochs, settings.batch_size, settings.seed)
    shared = shared_out(order, settings.batch_size, place()[1], filler=len(lengths))
    rows["input_ids"].append([tokenizer.eos_token_id] * 2)  # the filler: no label, so no part in any loss
    rows["labels"].append([-100] * 2)
    trainer = SFTTrainer(
        model=load_model(checkpoint),
        args=_arguments(states, settings, place()[1]),
        train_dataset=Dataset.from_dict(rows).select(shared),
        processing_class=tokenizer,
    )
    trainer.remove_callback(PrinterCallback)  # standard output is for what a command returns
    return trainer


def _arguments(states: Path, settings: SFT, processes: int) -> Any:
    from torch.cuda import is_available
    from trl import SFTConfig

    return SFTConfig(
        output_dir=str(states),
        num_train_epochs=1,  # the rows hold every pass over the examples
        per_device_train_batch_size=-(-settings.batch_size // processes),
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": 0.05},
        warmup_steps=settings.warmup,
        adam_beta2=0.98,
        weight_decay=0.01,
        dataset_kwargs={"skip_prepare_dataset": True},
        train_sampling_strategy="sequential",
        save_steps=settings.save_steps,
        save_total_limit=2,
        seed=settings.seed,
        activation_checkpointing=False,
        bf16=False,
        ddp_find_unused_parameters=False,
        use_cpu=processes > 1 and not is_available(),  # else each would take itself for the only one
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        dataloader_pin_memory=False,
    )


def tokenized(
    examples: Sequence[Example], tokenizer: Any, longest: int, where: Path, prompt: Prompt = "plain"
) -> dict[str, list[list[int]]]:
    """Token ids and labels of the examples: prompts as `sample` asks them, the end token after each completion.

    Labels are -100 on the prompt, whose tokens are not learned. An example longer than `longest` is refused: cut off,
    it would teach not to end.
    """
    prompts = [text_tokens(example.prompt, tokenizer, prompt) for example in examples]
    completions = tokenizer([example.completion for example in examples], add_special_tokens=False)["input_ids"]
    end = [tokenizer.eos_token_id]
    rows: dict[str, list[list[int]]] = {"input_ids": [], "labels": []}
    for example, asked, completion in zip(examples, prompts, completions, strict=True):
        if len(asked) + len(completion) + 1 > longest:
            raise InputError(
                f"an example of {len(asked) + len(completion) + 1} tokens (problem {example.problem_id})",
                where=where,
                expected=f"at most {longest}",
                next="raise max_length, or sample with fewer max_new_tokens",
            )
        rows["input_ids"].append(asked + completion + end)
        rows["labels"].append([-100] * len(asked) + completion + end)
    return rows


def batched_by_length(lengths: Sequence[int], epochs: int, batch_size: int, seed: int) -> list[int]:
    """The indices of the texts, `epochs` times over, in batches of texts of like length, the batches shuffled.

    Little of a batch is padding then, and successive batches do not drift from long to short as they do in the order of
    `group_by_length`, with which the quickstart's model learned far less in the same number of steps.
    """
    rng = random.Random(seed)
    stretch = batch_size * BATCHES_A_STRETCH
    ordered: list[int] = []
    for _ in range(epochs):
        shuffled = rng.sample(range(len(lengths)), len(lengths))
        stretches = [shuffled[start : start + stretch] for start in range(0, len(shuffled), stretch)]
        by_length = [sorted(part, key=lengths.__getitem__) for part in stretches]
        batches = [part[start : start + batch_size] for part in by_length for start in range(0, len(part), batch_size)]
        last = batches.pop()  # the only one that may be smaller: elsewhere it would shift the bounds of all after it
        rng.shuffle(batches)
        ordered += [index for batch in (*batches, last) for index in batch]
    return ordered


def _total_steps(trainer: Any) -> int:
    return len(trainer.get_train_dataloader())


def _last_state(states: Path) -> Path | None:
    """The newest whole training state; one that was being written when the step was killed is removed."""
    for folder in sorted(states.glob("checkpoint-*"), key=_step_of, reverse=True):
        try:
            json.loads((folder / "trainer_state.json").read_text())  # what rank 0 writes last
        except (OSError, ValueError):
            shutil.rmtree(folder)
            continue
        for own in folder.glob("rng_state*.pth"):  # what each rank writes, in its own time
            if not is_zipfile(own):
                own.unlink()
        return folder
    return None


def _step_of(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def _reporting(advance: Advance) -> "TrainerCallback":
    from transformers import TrainerCallback

    class Reporting(TrainerCallback):  # type: ignore[misc]
        """Tells the progress of each optimisation step."""

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            advance(1)

    return Reporting()
