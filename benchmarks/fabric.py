"""How fast the fabric is: link loads of many flows, collectives, a sequence over a mesh of cores.

Run it as `python benchmarks/fabric.py`. Machines differ and are noisy: the ratios are the result.
"""

import time
from collections.abc import Callable

import numpy as np

from star_watos.fabric import Area, Links, Mesh, all_reduce
from star_watos.fabric.collectives import Kind, best
from star_watos.fabric.flows import link_loads
from star_watos.spec import load
from star_watos.star import AttentionTask, Core, Sparsity
from star_watos.star.spatial import Noc, alone, spread_over, spreads

SECONDS = 1.0
FLOWS = 10_000
SIDE = 100


def rate(count: int, work: Callable[[], object]) -> float:
    """Return how many a second `work` does, repeated for a while."""
    work()
    start, repeats = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        work()
        repeats += 1
    return count * repeats / (time.perf_counter() - start)


def show(name: str, a_second: float, ratio: float | None = None) -> None:
    """Print one line."""
    times = "" if ratio is None else f"{ratio:,.0f}x"
    print(f"{name:58}{a_second:14,.0f} /s  {times}")


def main() -> None:
    """Measure and print."""
    flows()
    collectives()
    cores()


def flows() -> None:
    """Load the links of a mesh, all flows at once and one after the other."""
    rng = np.random.default_rng(0)
    source, target = rng.integers(0, SIDE * SIDE, (2, FLOWS))
    mesh, ones = Mesh(SIDE, SIDE, 1e12), np.ones(FLOWS)
    holed = Mesh(SIDE, SIDE, 1e12, missing_links=frozenset({(0, 1), (5050, 5051)}))

    def loads(on: Mesh, count: int) -> float:
        routes = on.routes(source[:count], target[:count])
        return float(link_loads(on, routes, ones[:count]).max())

    alone_rate = rate(1, lambda: loads(mesh, 1))
    show(f"flows over {SIDE} x {SIDE} nodes, one", alone_rate)
    for name, on in (("nothing missing", mesh), ("two links missing", holed)):
        together = rate(FLOWS, lambda on=on: loads(on, FLOWS))
        show(f"the same, {FLOWS:,} at once, {name}", together, together / alone_rate)


def collectives() -> None:
    """Choose the all-reduce of a mesh and size: by all algorithms, and as columns."""
    area, sizes = Area.all(Mesh(7, 8, 1e12, 1e-7)), np.geomspace(1e3, 1e10, 100_000)
    links = Links(1e12, 1e-7)
    one = rate(1, lambda: best(Kind.ALL_REDUCE, area, 1e8))
    show("all-reduces chosen, with bound, one", one)
    columns = rate(len(sizes), lambda: all_reduce(7, 8, sizes, links))
    show(f"all-reduces chosen, {len(sizes):,} in a column", columns, columns / one)


def cores() -> None:
    """Spread a sequence over cores in every way."""
    core, noc = load(Core, "star_28nm", "configs/cores"), load(Noc, "noc_64b", "configs/meshes")
    profile = load(Sparsity, "sofa_2pct", "configs/sparsity")
    task = AttentionTask(model="llama3_8b", seq_len=2**22, sparsity=profile)
    work = task.work(task.load())
    for side in (4, 16):
        every = spreads(side, side)
        by_itself = alone(core, noc, (side, side), work)
        a_second = rate(len(every), lambda s=every, a=by_itself: [spread_over(a, one) for one in s])
        show(f"4M tokens spread over {side} x {side} cores", a_second)


if __name__ == "__main__":
    main()
