"""What the page shows of a wafer that serves."""

from star_watos.cost import Overflow, number
from star_watos.explore.chosen import Chosen
from star_watos.explore.serving import way_of
from star_watos.report.html.look import Look, Panel
from star_watos.spec import InputError
from star_watos.watos.serving import Service
from star_watos.watos.silicon import area_mm2


def look_at(chosen: Chosen, *, closely: bool) -> Look:  # noqa: ARG001 (nothing is played)
    """Return what there is to see of a wafer and its way to serve."""
    wafer, serving = chosen.parts()
    found = way_of(chosen, wafer, serving)
    if isinstance(found, Overflow):
        raise InputError.of(chosen.place, f"does not fit: {found}")
    (way,) = found.ways.values()
    held = {
        name: number(part.phase.memory_bytes)
        for name, part in (("prefill", way.prefill), ("decode", way.decode))
    }
    request = {"first token": way.ttft_s, "the other tokens": way.tpot_s * (serving.output_len - 1)}
    return Look(
        {
            "time": Panel("Time of a request", "s", request),
            "energy": Panel("Energy of a token by cause", "J", _energy(found)),
            "memory": Panel("Memory of the fullest die of a phase", "B", held, stacked=False),
            "area": Panel("Area of the wafer by part", "mm²", area_mm2(wafer)),
        }
    )


def _energy(found: Service) -> dict[str, float]:
    """Return the joules of a token of an answer: its passes, and its share of all else."""
    (way,) = found.ways.values()
    answer, sequences = found.serving.output_len, float(way.decode.pool.plans.microbatch[0])
    return {
        "prefill": number(way.prefill.phase.energy_j) / answer,
        "decode": number(way.decode.phase.energy_j) / sequences,
        "static": found.machine.static_power_w / way.requests_per_s / answer,
    }
