"""One training iteration: checkpoint in, checkpoint out; by one process, by several, by several nodes."""

from ratchet.train.launch import RankLost, trained
from ratchet.train.nodes import trained_on
from ratchet.train.sft import SFT, train_sft

__all__ = ["SFT", "RankLost", "train_sft", "trained", "trained_on"]
