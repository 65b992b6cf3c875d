"""What a training framework holds on a device beside what every one must."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Framework:
    """Habits that memory depends on."""

    loss_in_place: bool = False
    """Whether the gradients of logits are written over them, no softmax being kept."""
    placeholders: bool = False
    """Whether a gradient that a product adds up in place leaves an empty tensor of the weight's
    shape: one a shape for layers, kept for good, and one for the head while it goes backward."""


PLAIN = Framework()
