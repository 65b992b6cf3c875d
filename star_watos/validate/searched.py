"""Cases that a search proposes: designs of a sweep's front, which formulas may have flattered."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from star_watos.explore import Stop, explore
from star_watos.explore.candidates import baseline, load_sweep, parts
from star_watos.explore.stack import load_of
from star_watos.explore.star import CoreExploration, CoreProblem
from star_watos.files import Scalar
from star_watos.star import STAR, Tile
from star_watos.validate.fidelity import Case


def searched_cases(name: str, count: int, trials: int | None = None) -> list[Case]:
    """Return about `count` designs, evenly spread over the front of the sweep `name`.

    There are none if nothing fits. All layers of a design share its tile. The sweep is searched
    first, with `trials` instead of its own number if told. Raises `InputError` where the sweep is
    wrong, and `KeyboardInterrupt` where its search is interrupted.
    """
    overrides = ["tiles=common"] + ([f"search.trials={trials}"] if trials else [])
    sweep, beside = load_sweep(CoreExploration, name, overrides)
    with TemporaryDirectory() as folder:
        problem, out = CoreProblem(sweep, beside), Path(folder) / "run"
        found = explore(sweep, problem, out, baseline=baseline(sweep))
    if found.stop is Stop.INTERRUPTED:
        raise KeyboardInterrupt
    rows = found.rows
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
    return [_case(sweep, rows[place], beside) for place in places]


def _case(sweep: CoreExploration, row: Mapping[str, Scalar], beside: Path) -> Case:
    built: dict[str, Any] = parts(sweep, {axis: row[axis] for axis in sweep.space})
    keys, heads = (float(cast("int", row[name])) for name in ("key_tile", "heads_together"))
    work = load_of(built["workload"], beside).work
    return Case(built["hardware"], work, Tile(keys, heads), STAR)
