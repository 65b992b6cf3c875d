"""The JSON document of `star compare`."""

from dataclasses import asdict
from typing import Any

from star_watos.compare.accelerators import (
    Cells,
    Chip,
    accelerators,
    errors_pct,
    papers_law,
    physical,
)
from star_watos.compare.headlines import Headline, headlines
from star_watos.compare.ladder import Step
from star_watos.compare.meshes import Meshes
from star_watos.compare.run import Beside, cores_document, gpu_document
from star_watos.star import Core

ASSUMPTIONS = {
    "unfused": "forward and backward passes were measured; their FLOP/s stand for the forward one. "
    "attention_s_band goes from what its DRAM traffic alone takes, to the rate of the one case in "
    "which the forward pass is known apart",
    "flashattention": "forward passes of one sequence, 32 heads of 128; heads of 64 were measured "
    "forward and backward",
    "a100_energy": "dynamic: FLOPs and DRAM bytes at measured energies, without caches and idle "
    "power; board: rated power times time",
    "cores": "those beside the A100 share the work without loss; `spatial` has what a mesh takes",
    "attention_alone": "the cores' time still includes K/V generation",
}
"""What every figure of the document rests on."""


def document(
    core: Core,
    workload: dict[str, Any],
    it: Beside,
    steps: list[Step],
    spatial: Meshes,
    notes: list[str],
) -> dict[str, Any]:
    """Return `star-compare/1`; energies in joules, cells in the units of their names."""
    return {
        "schema": "star-compare/1",
        "design": core.model_dump(mode="json"),
        "workload": workload,
        "normalize": it.equal.value,
        "rows": rows(it, core.name),
        "a100": gpu_document(it),
        "normalizations": cores_document(it),
        "headline": {h.name: _headline(h) for h in headlines(it, spatial)},
        "ladder": [asdict(step) for step in steps],
        "spatial": spatial.document,
        "assumptions": ASSUMPTIONS,
        "notes": notes,
    }


def rows(it: Beside, core_name: str) -> list[dict[str, Any]]:
    """Return published accelerators and the core at 28 nm: printed cells beside ours."""
    published = [
        {
            "name": known.name,
            "paper": dict(known.printed.items()),
            **_ours(known.chip, known.printed),
            "multipliers_from": known.multipliers_from or None,
            "accuracy_loss_pct": known.accuracy_loss_pct,
            "saved_computation_pct": known.saved_computation_pct,
            "source": known.source,
        }
        for known in accelerators()
    ]
    own = {
        "name": core_name,
        "paper": dict(Cells().items()),
        **_ours(it.chip, Cells()),
        "multipliers_from": "model",
        "accuracy_loss_pct": None,
        "saved_computation_pct": None,
        "source": "this model at 28 nm, on the workload of this document",
    }
    return [*published, own]


def _ours(chip: Chip | None, printed: Cells) -> dict[str, Any]:
    """Return the cells that both normalisations give, and the error of the papers' law."""
    if chip is None:
        return {"ours": None, "error_pct": None}
    law = papers_law(chip)
    return {
        "ours": {**dict(law.items()), "physical": dict(physical(chip).items())},
        "error_pct": errors_pct(printed, law),
    }


def _headline(headline: Headline) -> dict[str, Any]:
    return {
        "ours": headline.ours,
        "paper": headline.paper,
        "why": headline.why,
        "other_readings": headline.beside,
    }
