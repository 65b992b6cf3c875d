"""The JSON document of `watos serve`."""

from typing import Any

from star_watos.cost import number
from star_watos.watos.serving.ways import Part, Served, Service


def document(it: Service) -> dict[str, Any]:
    """Return the JSON document `watos-serve/1`; `best` is the way with most tokens a second."""
    ways = {way.value: _way(it, served) for way, served in it.ways.items()}
    return {
        "schema": "watos-serve/1",
        "hardware": it.hardware.model_dump(mode="json"),
        "workload": it.serving.model_dump(mode="json") | {"model": it.model.name},
        "devices": it.machine.n_devices,
        "memory_capacity_bytes": it.machine.memory_bytes,
        "best": max(ways, key=lambda name: float(ways[name]["tokens_per_s"])),
        "ways": ways,
    }


def _way(it: Service, served: Served) -> dict[str, Any]:
    tokens = served.requests_per_s * it.serving.output_len
    return {
        "tokens_per_s": tokens,
        "requests_per_s": served.requests_per_s,
        "ttft_s": served.ttft_s,
        "tpot_s": served.tpot_s,
        "energy_per_token_j": served.energy_per_token_j,
        "power_w": served.energy_per_token_j * tokens,
        "bound": served.bound.value,
        "prefill": _part(served.prefill),
        "decode": _part(served.decode) | {"sequences": int(served.decode.pool.plans.microbatch[0])},
    }


def _part(part: Part) -> dict[str, Any]:
    plans, phase = part.pool.plans, part.phase
    shape = [int(plans.tp_rows[0]), int(plans.tp_cols[0])]
    return {
        "tp": shape[0] * shape[1],
        "tp_shape": shape,
        "pp": int(plans.pp[0]),
        "replicas": int(part.pool.replicas[0]),
        "devices": part.pool.devices,
        "stage_s": number(phase.stage_s),
        "memory_bytes": number(phase.memory_bytes),
    }
