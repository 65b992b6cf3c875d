"""What a training framework holds and moves on a device beside what every one must."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Framework:
    """Habits that memory and its traffic depend on."""

    loss_in_place: bool = False
    """Whether the gradients of logits are written over them, no softmax being kept."""
    placeholders: bool = False
    """Whether a gradient that a product adds up in place leaves an empty tensor of the weight's
    shape: one a shape for layers, kept for good, and one for the head while it goes backward."""
    exchanges_heads: bool = False
    """Whether devices that share a sequence have whole sequences of some heads for attention,
    instead of passing keys and values on (DeepSpeed-Ulysses)."""
    step_bytes: float = 0.0
    """Bytes of memory that a step moves for a parameter beside Adam's: copies, norm, clipping."""


PLAIN = Framework()
