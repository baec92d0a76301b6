"""The gate: may this checkpoint be promoted?"""

from ratchet.gate.step import gate, gate_step

__all__ = ["gate", "gate_step"]
