"""The wafer as silicon: by hand, what must hold for any wafer, and against dice."""

import io
import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from star_watos.cli.watos import app as watos
from star_watos.cost import Overflow
from star_watos.report.wafer import print_wafer
from star_watos.spec import load, names
from star_watos.technology.wafer import WaferTechnology
from star_watos.technology.yields import at_least, negative_binomial_yield, repaired_yield
from star_watos.watos import Training, Wafer, document, simulate, wafer_overflow
from star_watos.watos.silicon import (
    area_mm2,
    cost_usd,
    die_area_mm2,
    die_yield,
    edges,
    good_wafer_cost_usd,
    mesh_bytes_per_s,
    overflows,
    power_at_peak_w,
    site_mm,
    sites_that_fit,
    wafer_yield,
)


def wafer(name="watos_config3", *overrides):
    return load(Wafer, name, "configs/wafers", overrides)


CONFIG3 = wafer()
NAMES = names("configs/wafers")


# Every shipped template.


@pytest.mark.parametrize("name", NAMES)
def test_shipped_templates_keep_their_own_limits(name):
    assert overflows(wafer(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_parts_are_finite_and_not_negative(name):
    hardware = wafer(name)
    parts = [*area_mm2(hardware).values(), *power_at_peak_w(hardware).values()]
    assert all(0 <= part < math.inf for part in parts)
    assert 0 < wafer_yield(hardware) <= 1
    assert good_wafer_cost_usd(hardware) >= cost_usd(hardware)


@pytest.mark.parametrize("name", NAMES)
def test_every_limit_is_named_with_what_is_over(name):
    """Made a little too small each, every limit is the one that is broken, and by that much."""
    hardware = wafer(name)
    width, height = (
        n * side + (n - 1) * hardware.gap_mm
        for n, side in zip((hardware.grid.cols, hardware.grid.rows), site_mm(hardware), strict=True)
    )
    power = sum(power_at_peak_w(hardware).values())
    limits = {
        "usable_width": (width, "width of "),
        "usable_height": (height, "height of "),
        "usable_area": (sum(area_mm2(hardware).values()), "dies and DRAM on the wafer"),
        "power_limit": (power, "power of the wafer at full rate"),
    }
    for key, (need, starts) in limits.items():
        over = wafer_overflow(wafer(name, f"{key}={need / 1.25!r}"))
        assert isinstance(over, Overflow)
        assert over.name.startswith(starts), key
        assert over.need == pytest.approx(need)
        assert over.excess == pytest.approx(0.25)


@pytest.mark.parametrize(("small", "large"), [("5nm", "7nm"), ("5nm_wse", "7nm_wse")])
def test_five_nanometres_from_seven(small, large):
    """TSMC, N5 against N7: 0.7 times the energy, 1.8 times the density; the table has 4 digits."""
    new, old = (load(WaferTechnology, name, "configs/technologies") for name in (small, large))
    for name in ("mac_energy_j", "sram_energy_j_per_byte"):
        assert getattr(new, name).value == pytest.approx(0.7 * getattr(old, name).value)
    assert new.mac_area_mm2.value == pytest.approx(old.mac_area_mm2.value / 1.8, rel=1e-3)
    per_mb = 8e6 / 2**20 / 27.25
    assert new.sram_area_mm2_per_mb.value == pytest.approx(per_mb, rel=1e-3)


# Geometry.


def test_config3_in_its_square():
    """Sites of 614.9 + 71.6 mm2 at 25.2 : 25.5; 8 of them with 7 gaps of 0.1 mm in 215 mm."""
    width, height = site_mm(CONFIG3)
    assert width * height == pytest.approx(614.946 + 4 * 17.9, rel=1e-5)
    assert width / height == pytest.approx(0.9882)
    assert 8 * width + 7 * 0.1 < 215 < 9 * width + 8 * 0.1
    assert sites_that_fit(CONFIG3) == 8 * 8
    assert sites_that_fit(wafer("wsc_llm_case3")) is None


def test_the_papers_own_sites_do_not_fit_a_215_mm_square():
    """WSC-LLM: nine sites of 24.99 mm are 224.9 mm, six of 33.25 mm are 199.5 mm."""
    square = ("usable_width=215 mm", "usable_height=215 mm", f"die.aspect={24.99 / 33.25}")
    over = wafer_overflow(wafer("wsc_llm_case3", *square))
    assert over.name == "width of 9 dies"
    assert 215 < over.need < 9 * 24.99


def test_spare_dies_need_places():
    """The square has 8 x 8 sites, 56 dies and 9 spare ones need 65."""
    spare = ("redundancy.spare_dies=9", "usable_area=46000")
    over = wafer_overflow(wafer("watos_config3", *spare))
    assert (over.name, over.need, over.have) == ("dies and spare dies on the wafer", 65, 64)
    assert str(over).startswith("dies and spare dies on the wafer needs 65 dies, has 64 dies")


def test_the_edge_of_a_die_by_hand():
    """4 TB/s over four edges, both ways, is 2 TB/s an edge: 2,000 / 1,317 mm; a stack is 11 mm."""
    side = math.sqrt(die_area_mm2(CONFIG3) * 0.9882)
    north = edges(CONFIG3)[0]
    assert north.d2d_mm == pytest.approx(2000 / 1317)
    assert north.dram_mm == 11
    assert north.length_mm == pytest.approx(side)
    assert north.left_mm == pytest.approx(side - 2000 / 1317 - 11)


def test_nine_stacks_do_not_fit_beside_each_other():
    over = wafer_overflow(
        wafer("watos_config3", "dram.stacks_per_die=9", "usable_area=46000", "gap=0")
    )
    assert over.name == "D2D and DRAM interfaces at the west edge of a die"
    assert over.need == pytest.approx(33 + 2000 / 1317)


@given(stacks=st.integers(1, 20), aspect=st.floats(0.2, 5))
def test_every_stack_stands_somewhere_and_no_other_place_is_better(stacks, aspect):
    """The fullest edge is as empty as that of the best of all ways to share the stacks out."""
    found = edges(wafer("watos_config3", f"dram.stacks_per_die={stacks}", f"die.aspect={aspect}"))
    assert sum(edge.dram_mm for edge in found) == 11 * stacks
    ways = (
        (*first, stacks - sum(first))
        for first in itertools.product(range(stacks + 1), repeat=3)
        if sum(first) <= stacks
    )
    lengths = np.array([edge.length_mm for edge in found])
    best = np.max(np.min(lengths - 11 * np.array(list(ways)), axis=1))
    assert min(edge.left_mm for edge in found) == pytest.approx(best - found[0].d2d_mm)


# Power.


def test_power_by_hand():
    """Four dies in a row of 2 cores of 2 x 4 MACs at 1 GHz, with constants of the 7 nm file.

    MACs: 64 GMAC/s x 0.59 pJ. SRAM: (2 + 4) 16-bit operands a cycle and core, 96 GB/s x 1.75 pJ/B.
    D2D: 2 x 3 links of 1 TB/s x 10 pJ/B. DRAM: 4 x 2 TB/s x 48 pJ/B. Off the wafer: 2 x 1.8 TB/s
    x 44.8 pJ/B.
    """
    small = ("grid={rows: 1, cols: 4}", "die.cores={rows: 1, cols: 2}", "die.frequency=1 GHz")
    core = ("die.core.mac_rows=2", "die.core.mac_cols=4")
    hardware = wafer("watos_config3", *small, *core)
    power = power_at_peak_w(hardware)
    assert power["macs"] == pytest.approx(64e9 * 0.59e-12)
    assert power["sram"] == pytest.approx(96e9 * 1.75e-12)
    assert mesh_bytes_per_s(hardware) == 6e12
    assert power["d2d"] == pytest.approx(60)
    assert power["dram"] == pytest.approx(4 * 2e12 * 48e-12)
    assert power["off_wafer"] == pytest.approx(2 * 1.8e12 * 44.8e-12)
    assert power["static"] == pytest.approx(64 * 97e-6)


def test_power_of_the_wires_by_hand():
    """Known links go over the pitch of the cores; what comes from outside over half a die."""
    die = die_area_mm2(CONFIG3)
    outside = 56 * (2e12 + 4e12) * math.sqrt(die) / 2 * 1.2e-12
    assert power_at_peak_w(CONFIG3)["noc"] == pytest.approx(outside)
    links = wafer("watos_config3", "die.core.noc_bandwidth=512 GB/s")
    pitch = math.sqrt(die / 324)
    assert power_at_peak_w(links)["noc"] == pytest.approx(56 * 324 * 512e9 * pitch * 1.2e-12)


def test_an_iteration_over_the_limit_is_said():
    """The limit is checked at full rate before; this is what is shown where work draws more."""
    training = Training(model="llama2_7b", seq_len=2048, global_batch=64)
    report = document(simulate(CONFIG3, training.load(), training, {}))
    report |= {"balance": None, "chakra": None, "faults": None}
    report["metrics"] |= {"power_w": 30e3, "power_limit_w": 20e3}
    console = Console(width=120, file=io.StringIO())
    print_wafer(report, console)
    assert (
        "the iteration on average needs 30 kW, has 20 kW (over by 50 %)" in console.file.getvalue()
    )


# Yield.


def test_one_spare_by_hand():
    """A D = 0.64, alpha = 2: none 0.5739; one in cores 0.5739 x 2 x 0.64 / 2.64 x 0.9 = 0.2504."""
    none = (1 + 0.64 / 2) ** -2
    assert repaired_yield(640, 0.001, 2, 0, 0.9) == none
    assert repaired_yield(640, 0.001, 2, 1, 0.9) == pytest.approx(none * (1 + 1.28 / 2.64 * 0.9))


DICE = {
    "area_mm2": st.floats(1, 5e4),
    "defects_per_mm2": st.floats(1e-5, 0.01),
    "cluster": st.floats(0.05, 50),
    "spares": st.integers(0, 300),
    "share": st.floats(0.01, 1),
}


@given(**DICE)
def test_spares_never_hurt(spares, share, **law):
    less = repaired_yield(**law, spares=spares, share=share)
    assert 0 <= less <= 1
    assert less <= repaired_yield(**law, spares=spares + 1, share=share) + 1e-12
    assert less <= repaired_yield(**law, spares=spares, share=min(1.0, share * 1.1)) + 1e-12
    assert less >= float(negative_binomial_yield(*law.values())) * (1 - 1e-9)


@given(**DICE)
def test_without_limit_only_what_is_outside_of_cores_counts(spares, share, **law):  # noqa: ARG001
    """All defects in cores repaired: (1 + A D (1 - f) / alpha)^-alpha, the law of the rest."""
    area, defects, cluster = law.values()
    rest = float(negative_binomial_yield(area * (1 - share), defects, cluster))
    assert repaired_yield(**law, spares=30_000, share=share) <= rest * (1 + 1e-9)
    if area * defects / cluster < 50:
        assert repaired_yield(**law, spares=30_000, share=share) == pytest.approx(rest)


@given(spares=st.integers(0, 100), share=st.floats(0.01, 1), cluster=st.floats(0.05, 50))
def test_no_defects_no_loss(spares, share, cluster):
    assert repaired_yield(640, 0.0, cluster, spares, share) == 1


@pytest.mark.parametrize(("cluster", "spares", "share"), [(2, 3, 0.8), (0.5, 1, 0.95), (10, 6, 1)])
def test_yield_against_dice(cluster, spares, share):
    """Poisson defects at a gamma-distributed rate of mean 3, each in cores with `share`."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(cluster, 3 / cluster, size=200_000)
    defects = rng.poisson(rates)
    in_cores = rng.binomial(defects, share)
    good = np.mean((in_cores == defects) & (defects <= spares))
    assert repaired_yield(3000, 0.001, cluster, spares, share) == pytest.approx(good, abs=0.004)


@given(needed=st.integers(1, 60), spare=st.integers(0, 8), good=st.floats(0.5, 1))
def test_dies_are_good_or_not(needed, spare, good):
    """Against the sum over binomial coefficients."""
    made = needed + spare
    terms = (
        math.comb(made, k) * good**k * (1 - good) ** (made - k) for k in range(needed, made + 1)
    )
    assert at_least(needed, made, good) == pytest.approx(sum(terms))


def test_a_spare_die_is_worth_its_price():
    """56 of 56 dies survive with 0.99652^56 = 0.823, 56 or 57 of 57 with 0.983."""
    spare = wafer("watos_config3", "redundancy.spare_dies=1")
    assert wafer_overflow(spare) is None
    assert wafer_yield(CONFIG3) == pytest.approx(0.99652**56)
    assert wafer_yield(spare) == pytest.approx(0.99652**57 + 57 * 0.99652**56 * 0.00348)
    assert cost_usd(spare) == pytest.approx(cost_usd(CONFIG3) * 57 / 56)
    assert wafer_yield(spare) == pytest.approx(0.983, abs=5e-4)
    assert good_wafer_cost_usd(spare) < good_wafer_cost_usd(CONFIG3)


def test_spare_cores_take_silicon_and_save_dies():
    """A Dojo die with 6 of 360 nodes spare: nearly all are good, but for links outside of them."""
    bare = wafer("dojo_tile", "redundancy.spare_cores=0", "die.cores={rows: 18, cols: 20}")
    assert die_area_mm2(bare) == pytest.approx(die_area_mm2(wafer("dojo_tile")))
    assert die_yield(bare) < 0.6
    assert die_yield(wafer("dojo_tile")) > 0.98


def test_a_monolithic_wafer_is_one_wafer():
    """It costs one wafer, and without spare cores none is good: (1 + 42.84 / 2)^-2 = 0.2 %."""
    wse = wafer("cerebras_wse2")
    assert cost_usd(wse) == 9346
    assert wafer_yield(wse) == pytest.approx(1)
    bare = wafer("cerebras_wse2", "redundancy.spare_cores=0")
    mean = 84 * die_area_mm2(bare) * 0.001
    assert wafer_yield(bare) == pytest.approx((1 + mean / 2) ** -2)
    assert wafer_yield(bare) < 0.01
    assert good_wafer_cost_usd(bare) == pytest.approx(9346 / wafer_yield(bare))


def test_config3_costs_what_it_did():
    assert die_yield(CONFIG3) == pytest.approx(0.58496, rel=1e-4)
    assert cost_usd(CONFIG3) == pytest.approx(68_959, rel=1e-4)


# Wafers without DRAM.


def test_without_dram_the_memory_is_sram():
    wse = wafer("cerebras_wse2")
    assert wse.memory_capacity_bytes == wse.die.sram_bytes
    assert wse.memory_bytes_per_s == wse.die.sram_bandwidth_bytes_per_s
    assert wse.memory_energy_j_per_byte == pytest.approx(0.1171875e-12 * 8)
    assert CONFIG3.memory_capacity_bytes == 70e9


@pytest.mark.parametrize("name", ["cerebras_wse2", "cerebras_wse3", "dojo_tile"])
def test_what_does_not_fit_into_sram_is_said(run, name):
    code, out, err = run(watos, "simulate", name, "--model", "llama3_8b", "--json")
    assert (code, out) == (4, "")
    assert err.startswith("does not fit: memory of the fullest die needs ")


def test_a_small_model_runs_in_sram(run):
    command = ("simulate", "cerebras_wse2", "--model", "smollm2_135m", "--seq-len", "2k")
    code, out, err = run(watos, *command, "--global-batch", 64, "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    metrics, edge = document["metrics"], document["geometry"]["edges"]["west"]
    assert metrics["power_limit_w"] == 20e3
    assert metrics["power_w"] < metrics["power_at_peak_w"] < metrics["power_limit_w"]
    assert sum(document["power_at_peak_w"].values()) == pytest.approx(metrics["power_at_peak_w"])
    assert metrics["good_wafer_cost_usd"] == pytest.approx(metrics["wafer_cost_usd"])
    assert document["geometry"]["sites_that_fit"] == 84
    assert edge["left_mm"] == edge["length_mm"] - edge["d2d_mm"] - edge["dram_mm"]
    _, out, _ = run(watos, *command, "--global-batch", 64)
    assert "SRAM in use, whole machine" in out
    assert " of 20 kW" in out
