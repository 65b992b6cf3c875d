"""Which plans are worth balancing."""

from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.watos.balance.pipeline import Pipeline
from star_watos.watos.columns import Sizes, size_columns
from star_watos.watos.memory import state_bytes
from star_watos.watos.plans import Ints, Plans, Recompute
from star_watos.watos.simulate import Setting
from star_watos.watos.stages import Params
from star_watos.workload import embedding_params, head_params

MOST_TRIED = 12
"""Plans that are balanced and played, most promising first."""


def promising(it: Setting, plans: Plans, uniform_s: float) -> list[Pipeline]:
    """Return the plans that would be fastest, nothing being run again in them.

    They would beat `uniform_s` under some policy, whether that fits or not, and have memory for all
    of their stages together if everything is run again.
    """
    seconds = np.asarray(it.evaluate(plans).iteration_s)
    order = np.argsort(seconds, kind="stable")
    faster = plans.take(order[seconds[order] < uniform_s])
    first, _ = _with(faster, Recompute.NONE).distinct(*(f.name for f in fields(Plans)))
    plain = _with(faster.take(np.sort(first)), Recompute.NONE)
    if not len(plain):
        return []
    rows = np.flatnonzero(least_bytes(it, plain) <= it.machine.memory_bytes)[:MOST_TRIED]
    return [Pipeline.of(it, plain.take(rows[[place]])) for place in range(len(rows))]


def _with(plans: Plans, policy: Recompute) -> Plans:
    return replace(plans, recompute=np.full_like(plans.recompute, policy))


def least_bytes(it: Setting, plans: Plans) -> NDArray[np.float64]:
    """Return what a device holds on the mean of all stages, everything being run again.

    That is the least there is: L / p layers' states, the inputs of k microbatches' layers, and what
    one layer makes again; k is the mean of min(m, p - s).
    """
    sizes = size_columns(it.model, it.training, _with(plans, Recompute.FULL))
    layers = it.model.n_layers / plans.pp
    states = state_bytes(_mean_params(it, plans, sizes), plans, sizes, it.training)
    n_microbatches = plans.microbatches(it.training.global_batch)
    kept = _mean_in_flight(plans.pp, n_microbatches) * layers * sizes.saved_bytes
    return np.asarray(states + kept + sizes.working_bytes, dtype=np.float64)


def _mean_params(it: Setting, plans: Plans, sizes: Sizes) -> Params:
    """Return the parameters on a device on the mean of all stages, of both ends but once."""
    layers = it.model.n_layers / plans.pp
    ends = (embedding_params(it.model) + head_params(it.model)) / plans.tp / plans.pp
    experts = layers * sizes.expert_params
    return Params(layers * sizes.params - experts + ends, experts)


def _mean_in_flight(pp: Ints, m: Ints) -> Column:
    """Return the mean over stages of min(m, p - s).

    >>> _mean_in_flight(np.array([4, 4]), np.array([8, 2])).tolist()
    [2.5, 1.75]
    """
    full = np.minimum(m, pp)
    mean: Column = (full * (full + 1) / 2 + (pp - full) * full) / pp
    return mean
