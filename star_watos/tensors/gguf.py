"""Reader of GGUF files: metadata, and tensors as float32.

Format: ggml's published description of GGUF, version 3; block formats Q4_1 and Q8_0.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from star_watos.errors import InputError

_SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING, _ARRAY = 8, 9
_BLOCK = 32
"""Weights of a quantised block."""
_Q4_1 = np.dtype([("scale", "<f2"), ("least", "<f2"), ("nibbles", "u1", _BLOCK // 2)])
_Q8_0 = np.dtype([("scale", "<f2"), ("values", "i1", _BLOCK)])


def dequantize_q4_1(blocks: NDArray[Any]) -> NDArray[np.float32]:
    """Return weights [n, 32] of Q4_1 blocks [n]: scale * nibble + least, low nibbles first.

    >>> block = np.array([(2.0, -1.0, [0x31] + [0] * 15)], dtype=_Q4_1)
    >>> dequantize_q4_1(block)[0, [0, 1, 16]].tolist()
    [1.0, -1.0, 5.0]
    """
    packed = blocks["nibbles"]
    nibbles = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32)
    scale, least = (blocks[name].astype(np.float32)[:, None] for name in ("scale", "least"))
    return nibbles * scale + least


def dequantize_q8_0(blocks: NDArray[Any]) -> NDArray[np.float32]:
    """Return weights [n, 32] of Q8_0 blocks [n]: scale * value.

    >>> block = np.array([(0.5, [-128, 3] + [0] * 30)], dtype=_Q8_0)
    >>> dequantize_q8_0(block)[0, :2].tolist()
    [-64.0, 1.5]
    """
    scaled: NDArray[np.float32] = blocks["values"] * blocks["scale"].astype(np.float32)[:, None]
    return scaled


def _plain(values: NDArray[Any]) -> NDArray[np.float32]:
    return values.astype(np.float32)


_FORMATS: dict[int, tuple[np.dtype[Any], int, Callable[[NDArray[Any]], NDArray[np.float32]]]] = {
    0: (np.dtype("<f4"), 1, _plain),
    1: (np.dtype("<f2"), 1, _plain),
    3: (_Q4_1, _BLOCK, dequantize_q4_1),
    8: (_Q8_0, _BLOCK, dequantize_q8_0),
}
"""Number of a format in the file -> block, weights of a block, reader."""


@dataclass(frozen=True, slots=True)
class _Entry:
    shape: tuple[int, ...]
    format: int
    offset: int


class Gguf:
    """A GGUF file; a tensor is read when it is asked for."""

    def __init__(self, path: Path) -> None:
        """Read the metadata and the list of tensors of `path`; `InputError` if it is no GGUF."""
        self.path = path
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise InputError.of(str(path), "is not a GGUF file")
        self._data = np.memmap(path, dtype=np.uint8, mode="r")
        self._at = 4
        try:
            _version, n_tensors, n_keys = (self._scalar(code) for code in (4, 10, 10))
            self.metadata = {self._string(): self._value(self._scalar(4)) for _ in range(n_keys)}
            self._entries = {self._string(): self._entry() for _ in range(n_tensors)}
        except (struct.error, UnicodeDecodeError) as error:
            raise self._damaged(str(error)) from error
        alignment = int(self.metadata.get("general.alignment", 32))
        self._start = -(-self._at // alignment) * alignment

    def value(self, key: str) -> Any:  # noqa: ANN401 (any value of the metadata)
        """Return the metadata under `key`; `InputError` where there is none."""
        if key not in self.metadata:
            raise InputError.of(str(self.path), f"has no {key} in its metadata")
        return self.metadata[key]

    def tensor(self, name: str) -> NDArray[np.float32]:
        """Return tensor `name` with the slowest axis first; `InputError` where it cannot be."""
        entry = self._entries.get(name)
        if entry is None or entry.format not in _FORMATS:
            what = "is not in the file" if entry is None else f"has format {entry.format}"
            known = "F32, F16, Q4_1 and Q8_0 are read"
            raise InputError.of(str(self.path), f"tensor {name} {what} ({known})")
        block, weights, read = _FORMATS[entry.format]
        size = int(np.prod(entry.shape)) // weights * block.itemsize
        start = self._start + entry.offset
        packed = self._data[start : start + size]
        if len(packed) < size or entry.shape[-1] % weights:
            raise self._damaged(f"tensor {name}")
        values = read(packed.view(block))
        return values.reshape(entry.shape)

    def _damaged(self, what: str) -> InputError:
        return InputError.of(str(self.path), f"GGUF file is cut or damaged ({what})")

    def _take(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at].tobytes()

    def _scalar(self, code: int) -> Any:  # noqa: ANN401 (a number of any type)
        form = _SCALARS[code]
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _string(self) -> str:
        return self._take(self._scalar(10)).decode()

    def _value(self, code: int) -> Any:  # noqa: ANN401 (any value of the metadata)
        if code == _STRING:
            return self._string()
        if code == _ARRAY:
            inner, length = self._scalar(4), self._scalar(10)
            return [self._value(inner) for _ in range(length)]
        if code not in _SCALARS:
            raise self._damaged(f"no type has number {code}")
        return self._scalar(code)

    def _entry(self) -> _Entry:
        axes = self._scalar(4)
        shape = tuple(self._scalar(10) for _ in range(axes))
        return _Entry(shape[::-1], self._scalar(4), self._scalar(10))
