"""One training iteration: checkpoint in, checkpoint out."""

from ratchet.train.sft import SFT, train_sft

__all__ = ["SFT", "train_sft"]
