"""What vTrain's single-node table consists of, and what its regret hangs on.

Run it as `python benchmarks/vtrain_table.py`. Times of runs are told apart into those of a layer,
of both ends of the model, and of what is done once an iteration, for each width, TP and microbatch.
Then layers are replaced by the table's own, and by a law whose constants are fitted to them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import number
from star_watos.validate.runs.picks import picks
from star_watos.validate.runs.predict import Prediction, predict
from star_watos.validate.runs.row import Run
from star_watos.validate.runs.summary import summaries
from star_watos.validate.runs.table import read_table
from star_watos.watos import load_hardware, machine_of
from star_watos.watos.machine import Machine
from star_watos.watos.training import Training

TABLE = "vtrain_single_node"
Key = tuple[int, int, int]
"""Width, TP and microbatch."""
Once = tuple[int, int, int, int]
"""Width, TP, layers and replicas."""
Floats = NDArray[np.float64]
ROUNDS = 50


def key_of(run: Run) -> Key:
    """Return what decides how long a layer takes."""
    assert run.hidden  # noqa: S101 (the table's)
    return run.hidden, run.tp, run.micro_batch


def microbatches(run: Run) -> int:
    """Return the microbatches of an iteration."""
    return run.global_batch // run.replicas // run.micro_batch


@dataclass(frozen=True)
class Parts:
    """Milliseconds of the parts of which runs without a pipeline are sums."""

    runs: list[Run]

    @cached_property
    def keys(self) -> list[Key]:
        """Widths, TP degrees and microbatches."""
        return sorted({key_of(run) for run in self.runs})

    @cached_property
    def once(self) -> list[Once]:
        """What decides how long that is which is done once an iteration."""
        return sorted({(r.hidden or 0, r.tp, r.layers or 0, r.replicas) for r in self.runs})

    @cached_property
    def matrix(self) -> Floats:
        """How often each run has each layer, pair of ends and what is done once."""
        n, matrix = len(self.keys), np.zeros((len(self.runs), 2 * len(self.keys) + len(self.once)))
        for row, run in zip(matrix, self.runs, strict=True):
            place = self.keys.index(key_of(run))
            row[place], row[n + place] = microbatches(run) * (run.layers or 0), microbatches(run)
            row[2 * n + self.once.index((run.hidden, run.tp, run.layers, run.replicas))] = 1
        return matrix

    @cached_property
    def measured_ms(self) -> Floats:
        """What the table says."""
        return np.array([1e3 * (run.iter_time_s or 0) for run in self.runs])

    @cached_property
    def found(self) -> Floats:
        """Layers, ends, and what is done once."""
        solution: Floats = np.linalg.lstsq(self.matrix, self.measured_ms, rcond=1e-12)[0]
        return solution

    @property
    def rank(self) -> int:
        """How many of them the runs tell apart."""
        return int(np.linalg.matrix_rank(self.matrix))

    @property
    def residual_ms(self) -> float:
        """By how much a run differs at most from its sum."""
        return float(np.abs(self.matrix @ self.found - self.measured_ms).max())

    @property
    def layer_ms(self) -> dict[Key, float]:
        """Of a layer, for one microbatch."""
        return dict(zip(self.keys, self.found.tolist(), strict=False))


def machine(device: str = "dgx_a100_parts") -> Machine:
    """Return eight GPUs of the table's."""
    return machine_of(load_hardware(device), Training(model="gpt3_175b"), 8)


def step_bytes(parts: Parts) -> Iterator[tuple[Once, float]]:
    """Yield by how many bytes a parameter what is done once grows with a layer, one replica's.

    At the rate of memory; a layer has 12 h^2 / tp parameters. Where the runs do not tell parts
    apart (width 2,048, TP 8) it is no figure.
    """
    once = dict(zip(parts.once, parts.found[2 * len(parts.keys) :].tolist(), strict=True))
    for (hidden, tp, layers, replicas), seconds_ms in once.items():
        longer = once.get((hidden, tp, layers + 4, replicas))
        if longer is not None and replicas == 1:
            params = 4 * 12 * hidden**2 / tp
            more_s = 1e-3 * (longer - seconds_ms)
            yield (hidden, tp, layers, replicas), more_s * machine().memory_bytes_per_s / params


def all_reduce_ms(key: Key) -> float:
    """Milliseconds of one all-reduce of a microbatch's activations, as NCCL was measured."""
    hidden, tp, microbatch = key
    n_bytes = 2.0 * 1024 * hidden * microbatch
    return 1e3 * number(machine().all_reduce(1.0, float(tp), n_bytes).time_s)


def law(layer_ms: dict[Key, float]) -> dict[Key, float]:
    """Return the layers of a law of seven constants that fits those of the table best.

    max(H, I + (G h^2 + S) b / tp + E h b) + n A + c (tp > 1), A being an all-reduce: the host's
    time, or products, squares of scores and vectors. Which it is and the constants take turns.
    """
    keys, measured = list(layer_ms), np.array(list(layer_ms.values()))
    hidden, tp, b = np.array(keys, dtype=float).T
    wide, one = hidden / 1024, np.ones(len(keys))
    comm = [np.array([all_reduce_ms(key) for key in keys]), 1.0 * (tp > 1)]
    works = [one, wide**2 * b / tp, b / tp, wide * b]
    busy = b * wide**2 / tp > 2
    for _ in range(ROUNDS):
        columns = np.stack([~busy * one, *(busy * work for work in works), *comm], axis=1)
        constants = np.linalg.lstsq(columns / measured[:, None], one, rcond=None)[0]
        work_ms = sum(c * w for c, w in zip(constants[1:5], works, strict=True))
        busy = work_ms > constants[0]
    fitted = np.maximum(constants[0], work_ms) + np.stack(comm, axis=1) @ constants[5:]
    return dict(zip(keys, fitted.tolist(), strict=True))


def ours_ms(predictions: Sequence[Prediction]) -> dict[Key, float]:
    """Return the layers of the model, from runs without a pipeline."""
    return Parts(
        [
            p.run.model_copy(update={"iter_time_s": p.iter_time_s})
            for p in predictions
            if p.run.pp == 1
        ]
    ).layer_ms


def with_layers(
    predictions: Sequence[Prediction], own: dict[Key, float], others: dict[Key, float]
) -> list[Prediction]:
    """Return predictions whose layers take `others` instead of `own`."""

    def changed(one: Prediction) -> Prediction:
        run, key = one.run, key_of(one.run)
        passes = (microbatches(run) + run.pp - 1) * (run.layers or 0) / run.pp
        more = passes * (others.get(key, 0.0) - own.get(key, 0.0)) if key in own else 0.0
        return replace(one, iter_time_s=one.iter_time_s + 1e-3 * more)

    return [changed(one) for one in predictions]


def regret_pct(
    predictions: Sequence[Prediction], counts: Callable[[Run], bool] = lambda _: True
) -> tuple[float, int]:
    """Return the mean regret of the groups whose best plan counts, and how many these are."""
    found = [p.regret_pct for p in picks(predictions, "iter_time_s") if counts(p.best.run)]
    return float(np.mean(found)), len(found)


def main() -> None:
    """Print both."""
    runs = read_table(TABLE)
    parts = Parts([run for run in runs if run.pp == 1])
    print(f"{len(parts.runs)} runs without a pipeline are sums of {parts.rank} parts,", end=" ")
    print(f"to {parts.residual_ms:.3f} of {parts.measured_ms.min():.0f} ms and more")
    print("bytes a parameter of a step: width, TP, layers, replicas; as the table grows by")
    for known, n_bytes in step_bytes(parts):
        print(*known, f"{n_bytes:.1f}")
    predictions = predict(TABLE, runs)
    own, fitted = ours_ms(predictions), law(parts.layer_ms)
    print("milliseconds of a layer: width, TP, microbatch; table, ours, the fitted law")
    for key, measured in parts.layer_ms.items():
        print(*key, f"{measured:.3f} {own[key]:.3f} {fitted[key]:.3f}")
    odd = max(fitted, key=lambda k: fitted[k] / parts.layer_ms[k] if k[1] == 2 else 0.0)
    by: dict[str, list[Prediction]] = defaultdict(list)
    by["ours"] = list(predictions)
    by["with the table's own layers"] = with_layers(predictions, own, parts.layer_ms)
    by["with layers of the fitted law"] = with_layers(predictions, own, fitted)
    for name, those in by.items():
        mean, count = regret_pct(those)
        rest, left = regret_pct(those, lambda run: key_of(run) != odd)
        print(f"regret {name}: {mean:.2f} % of {count} groups;", end=" ")
        print(f"{rest:.2f} % of the {left} whose best is not {odd}")
    whole = predict(TABLE, [run.model_copy(update={"device": "dgx_a100"}) for run in runs])
    (found,) = summaries(whole)
    print(f"with all that Megatron-LM's step moves: {found.mae_pct:.2f} %,", end=" ")
    print(f"regret {found.regret_pct:.2f} %")


if __name__ == "__main__":
    main()
