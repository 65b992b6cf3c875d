"""From the `config.json` of a Hugging Face model to a `Model`, or to every mistake in the file."""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from star_watos.spec import Document, InputError, Problem, locate, read
from star_watos.workload.families import FAMILIES
from star_watos.workload.family import Family
from star_watos.workload.keys import REQUIRED, Key
from star_watos.workload.model import Mla, Model, Moe

_FOLDER = "configs/models"


def load_model(name: str, beside: Path | None = None) -> Model:
    """Return the model that `name` means: a shipped file, or the path of any `config.json`.

    A relative path is looked up in the folder `beside` first. Raises `InputError` with every
    mistake of the file, each with its line and column.

    >>> load_model("llama2_7b").n_params
    6738415616
    """
    path = locate(name, _FOLDER, beside=beside)
    stem = path.resolve().parent.name if path.stem == "config" else path.stem
    return model_from(read(path), stem)


def model_from(document: Document, name: str) -> Model:
    """Return the model in a document that was read already."""
    family = _family(document)
    values, problems = _values(document, family.keys)
    if not problems:
        problems = _contradictions(document, family, values)
    if problems or document.repeats:
        raise InputError(problems + document.repeats)
    return _model(name, {**family.constant, **values, **family.derive(values)})


def _family(document: Document) -> Family:
    data = document.data
    if not isinstance(data, dict):
        text = f"expected a mapping of keys to values, got {_short(data)}"
        raise InputError([Problem(document.mark(()), "", text)])
    key = "model_type"
    given, allowed = data.get(key), f"expected one of {', '.join(FAMILIES)}"
    if isinstance(given, str) and given in FAMILIES:
        return FAMILIES[given]
    text = f"{allowed}, got {_short(given)}" if key in data else f"required, but missing; {allowed}"
    near = _nearest(given, FAMILIES) if isinstance(given, str) else ""
    raise InputError([Problem(document.mark((key,)), key, text + near)])


def _values(document: Document, keys: Mapping[str, Key]) -> tuple[dict[str, Any], list[Problem]]:
    """Return what the file says for each of `keys`, and what is wrong with it."""
    values: dict[str, Any] = {}
    strays = document.data.keys() - {n for key in keys.values() for n in (key.name, key.also)}
    problems: dict[str, Problem] = {}  # by the file's key, which may serve two of ours
    for ours, key in keys.items():
        try:
            values[ours] = _value(document.data, key, strays)
        except ValueError as error:
            problems[key.name] = _problem(document, key, str(error))
    return values, list(problems.values())


def _problem(document: Document, key: Key, text: str) -> Problem:
    name = key.spelled(document.data)
    return Problem(document.mark(tuple(name.split("."))), name, text)


def _value(data: Mapping[str, Any], key: Key, strays: Collection[str]) -> Any:  # noqa: ANN401 (what the key holds)
    given = key.given(data)
    optional = key.default is not REQUIRED
    if not given and (key.named or not optional):
        raise ValueError(f"required, but missing{_nearest(key.name, strays)}")
    first = next((value for value in given.values() if value is not None), None)
    if any(value not in (None, first) for value in given.values()):
        raise ValueError(f"expected the same as {key.also}, got {_short(first)}")
    if first is None and optional:
        return key.default
    try:
        return key.parse(first)
    except ValueError as error:
        raise ValueError(f"{error}, got {_short(first)}") from None


def _contradictions(document: Document, family: Family, values: Mapping[str, Any]) -> list[Problem]:
    """Return which numbers, each right on its own, do not go together."""
    heads, kv_heads = values["n_heads"], values.get("n_kv_heads")
    found = list(family.contradictions(values))
    if kv_heads and heads % kv_heads:
        found += [("n_kv_heads", f"expected a divisor of {heads} heads, got {kv_heads}")]
    if "kv_lora_rank" not in values and not values.get("head_dim") and values["d_model"] % heads:
        found += [("n_heads", f"expected a divisor of the width {values['d_model']}, got {heads}")]
    if values.get("top_k", 0) > values.get("n_experts", 0):
        text = f"expected at most the {values['n_experts']} experts, got {values['top_k']}"
        found += [("top_k", text)]
    if values.get("n_dense_layers", 0) > values["n_layers"]:
        text = f"expected at most the {values['n_layers']} layers, got {values['n_dense_layers']}"
        found += [("n_dense_layers", text)]
    return [_problem(document, family.keys[ours], text) for ours, text in found]


def _model(name: str, values: Mapping[str, Any]) -> Model:
    mla = _mla(values)
    derived = {
        "n_kv_heads": values["n_heads"] if mla else values.get("n_kv_heads") or values["n_heads"],
        "head_dim": _head_dim(values, mla),
        "d_ff": values.get("d_ff") or 4 * values["d_model"],
    }
    own = {field.name for field in fields(Model)}
    plain = {key: value for key, value in values.items() if key in own}
    return Model(name, moe=_moe(values), mla=mla, **{**plain, **derived})


def _head_dim(values: Mapping[str, Any], mla: Mla | None) -> int:
    if mla:
        return mla.qk_nope_head_dim + mla.qk_rope_head_dim
    return int(values.get("head_dim") or values["d_model"] // values["n_heads"])


def _mla(values: Mapping[str, Any]) -> Mla | None:
    if "kv_lora_rank" not in values:
        return None
    return Mla(**{field.name: values[field.name] for field in fields(Mla)})


def _moe(values: Mapping[str, Any]) -> Moe | None:
    if "n_experts" not in values:
        return None
    return Moe(
        n_experts=values["n_experts"],
        top_k=values["top_k"],
        d_ff=values.get("expert_d_ff", values["d_ff"]),
        n_shared=values.get("n_shared", 0),
        shared_d_ff=values.get("shared_d_ff"),
        shared_gate=values.get("shared_gate", False),
        n_dense_layers=values.get("n_dense_layers", 0),
        router_bias=values.get("router_bias", False),
    )


def _nearest(word: str, allowed: Collection[str]) -> str:
    near = difflib.get_close_matches(word[:80], sorted(allowed), n=1, cutoff=0.8)
    return f" (did you mean {near[0]}?)" if near else ""


def _short(value: object) -> str:
    text = "a mapping" if isinstance(value, dict) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
