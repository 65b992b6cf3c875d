"""Cases that a search proposes: designs of a sweep's front, which formulas may have flattered."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from star_watos.explore import explore
from star_watos.explore.candidates import baseline, load_sweep, parts
from star_watos.explore.stack import load_of
from star_watos.explore.star import CoreExploration, CoreProblem
from star_watos.files import Scalar
from star_watos.star import STAR, Tile
from star_watos.validate.fidelity import Case


def searched_cases(name: str, count: int, trials: int | None = None) -> Iterator[Case]:
    """Yield about `count` designs, evenly spread over the front of the sweep `name`.

    All layers of a design share its tile. The sweep is searched first, with `trials` of its own
    number if told. Raises `InputError` where the sweep is wrong.
    """
    overrides = ["tiles=common"] + ([f"search.trials={trials}"] if trials else [])
    sweep, beside = load_sweep(CoreExploration, name, overrides)
    with TemporaryDirectory() as folder:
        problem, out = CoreProblem(sweep, beside), Path(folder) / "run"
        rows = explore(sweep, problem, out, baseline=baseline(sweep)).rows
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
    for place in places:
        yield _case(sweep, rows[place], beside)


def _case(sweep: CoreExploration, row: Mapping[str, Scalar], beside: Path) -> Case:
    built: dict[str, Any] = parts(sweep, {axis: row[axis] for axis in sweep.space})
    tile = Tile(float(row["key_tile"] or 0), float(row["heads_together"] or 0))
    return Case(built["hardware"], load_of(built["workload"], beside).work, tile, STAR)
