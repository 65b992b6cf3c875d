"""Whatever core or wafer is accepted can be simulated, or does not fit."""

import copy
import itertools
import json
import random
from dataclasses import fields

import numpy as np
import pytest
from junk import chance
from limits import accepted

from star_watos.cost import Overflow
from star_watos.spec import parse, root, validate
from star_watos.star import AttentionTask, Core, Dataflow, Sparsity, run_task
from star_watos.star import document as core_document
from star_watos.watos import Training, Wafer
from star_watos.watos import document as wafer_document
from star_watos.watos import simulate as simulate_wafer
from star_watos.workload import load_model

MODELS = ("llama3_70b", "gpt3_175b", "mixtral_8x7b", "deepseek_v3")
LARGE = (1e-300, 1e-30, 1e-9, 1e-3, 1e3, 1e9, 1e30, 1e300)
SMALL = (0.1, 0.5, 0.9, 1.1, 2.0, 3.0)


def read(kind, text):
    return validate(kind, parse(text, "f.yaml"))


def numbers(data, path=()):
    """Return the paths of all numbers in plain data."""
    if isinstance(data, dict):
        return [p for key, value in data.items() for p in numbers(value, (*path, key))]
    return [path] if isinstance(data, int | float) and not isinstance(data, bool) else []


def rescaled(rng: random.Random, data):
    """Return `data` with a few numbers scaled, by a little or by a lot."""
    data = copy.deepcopy(data)
    for path in rng.sample(numbers(data), rng.choice((1, 1, 2, 4))):
        factor = rng.choice(rng.choice((SMALL, LARGE)))
        place = data
        for key in path[:-1]:
            place = place[key]
        value = place[path[-1]] * factor
        place[path[-1]] = int(value) if isinstance(place[path[-1]], int) and value < 1e12 else value
    return data


def resolved(path, kind):
    return read(kind, (root() / path).read_text()).model_dump(mode="json")


def assert_finite(document):
    json.dumps(document, allow_nan=False)
    for name, value in document["metrics"].items():
        assert value is None or value >= 0, name


def flows():
    """Return every dataflow that a core could have."""
    for choice in itertools.product(*(field.type for field in fields(Dataflow))):
        flow = accepted(Dataflow, *choice)
        if flow is not None:
            yield flow


@pytest.mark.filterwarnings("error")
def test_every_accepted_core_simulates():
    """Or does not fit; nothing overflows, and no figure is infinite, undefined or negative."""
    data = resolved("configs/cores/star_28nm.yaml", Core)
    profile = resolved("configs/sparsity/sofa_2pct.yaml", Sparsity)
    names, done = ("llama2_7b", "gpt3_175b", "mixtral_8x7b"), 0
    choices = list(flows())
    for seed in range(600):
        rng = chance(seed)
        text = json.dumps(rescaled(rng, data))
        core = accepted(read, Core, text)
        if core is None:
            continue
        keys = rng.choice((1, 2, 7, 100, 4096, 131_072, 10**6 + 3, 2**34))
        keep = rng.choice((1e-300, 1e-9, 0.074, 1 / 3, 1.0))
        given = {
            "model": rng.choice(names),
            "seq_len": keys,
            "queries": rng.choice((None, 1, keys)),
            "causal": rng.random() < 0.7,
            "sparsity": profile | {"keep_ratio": keep, "kv_ratio": min(1.0, 2 * keep)},
        }
        task = AttentionTask.model_validate(given)
        tile, flow = rng.choice((None, None, 1, 7, 2**20)), rng.choice(choices)
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            result = run_task(core, task, flow, tile, banded=False)
            if not isinstance(result, Overflow):
                assert_finite(core_document(result))
                done += 1
    assert done > 100


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["watos_config3", "cerebras_wse2"])
def test_every_accepted_wafer_simulates(name):
    """Or does not fit; nothing overflows, and no figure is infinite, undefined or negative."""
    data = resolved(f"configs/wafers/{name}.yaml", Wafer)
    # Room, so that it is not always the area, or an edge, that stops a change.
    data["technology"] |= {"d2d_edge": None, "dram_edge": None}
    data |= {"usable_area": 1e6, "usable_width": None, "usable_height": None, "power_limit": None}
    data["die"] |= {"edge_bandwidth": 1e16}
    # Without DRAM nothing that is large fits.
    small = () if data["dram"] else ("smollm2_135m",) * 4
    models, done = {name: load_model(name) for name in (*MODELS, *small)}, 0
    for seed in range(250):
        rng = chance(seed)
        text = json.dumps(rescaled(rng, data))
        wafer = accepted(read, Wafer, text)
        if wafer is None:
            continue
        training = Training(
            model=rng.choice((*MODELS, *small)),
            seq_len=rng.choice((2, 7, 2048, 4096, 2**20, 2**24)),
            global_batch=rng.choice((1, 7, 64, 512, 2**24)),
            attention=rng.choice(("flash", "unfused")),
        )
        wanted = rng.choice(({}, {}, {"pp": 1}, {"tp": 1, "recompute": 2}, {"tp": 3}))
        model = models[training.model]
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            result = accepted(simulate_wafer, wafer, model, training, wanted)
            if result is not None and not isinstance(result, Overflow):
                assert_finite(wafer_document(result))
                done += 1
    assert done > (50 if data["dram"] else 20), done
