"""The page of a run in a browser: what hovers and clicks do, without errors and without a network.

It needs Chromium (`apt-get install chromium`, or CHROMIUM with its path) and playwright.
"""

import json
import os
import shutil

import pytest
from typer.testing import CliRunner

from star_watos.cli.star import app as star
from star_watos.cli.watos import app as watos
from star_watos.explore.stored import Stored
from star_watos.report.html.page import write_report

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
if CHROMIUM is None:
    pytest.skip("Chromium is not installed: CHROMIUM, or chromium on PATH", allow_module_level=True)
pytest.importorskip("plotly", reason="the page needs the extra html")
browsers = pytest.importorskip("playwright.sync_api", reason="playwright opens the page")

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser():
    with browsers.sync_playwright() as library:
        opened = library.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Explore a wafer and a core, each once; the core's front has a column of HTML added."""
    folder = tmp_path_factory.mktemp("runs")
    for app, name in ((watos, "ci_watos"), (star, "ci_star")):
        words = ["explore", name, "--out", str(folder / name), "--jobs", "1", "--json"]
        assert CliRunner().invoke(app, words).exit_code == 0
    front = folder / "ci_star" / "pareto.csv"
    head, *rows = front.read_text().splitlines()
    lines = [f'{row},"{EVIL}{i % 2}"' for i, row in enumerate(rows)]
    front.write_text("\n".join([f"{head},{EVIL}", *lines]) + "\n")
    write_report(Stored.load(front))
    return folder


@pytest.fixture
def opened(browser, runs):
    """Open a page; at the end of a test nothing went wrong in it, and nothing was asked for."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    wrong = []

    def open_page(name):
        page = context.new_page()
        page.on("console", lambda said: wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        address = (runs / name / "report.html").as_uri()
        page.on("request", lambda it: it.url == address or wrong.append(it.url))
        page.goto(address)
        page.wait_for_selector("html[data-ready=true]")
        return page

    yield open_page
    context.close()
    assert wrong == []


def show_all(page):
    """Scroll through the page, so that every figure is drawn."""
    for figure in page.query_selector_all(".figure"):
        if figure.is_visible():
            figure.scroll_into_view_if_needed()
            page.wait_for_function("it => it.hidden || it.querySelector('.main-svg')", arg=figure)
    page.evaluate("scrollTo(0, 0)")


def point(page, place):
    """Return where on the screen the point of a design is."""
    marks = page.query_selector_all("#front .scatterlayer .trace:first-child .point")
    box = marks[place].bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def lone(page, runs, name):
    """Return a design that is not picked and that no other point of the front hides."""
    picked = set(page.evaluate("state.picked"))
    places = [point(page, place) for place in range(len(Stored.load(runs / name).rows))]

    def apart(one):
        return min(abs(one[0] - x) + abs(one[1] - y) for x, y in places if (x, y) != one)

    return max(set(range(len(places))) - picked, key=lambda place: apart(places[place]))


@pytest.mark.parametrize("name", ["ci_watos", "ci_star"])
def test_every_figure_is_drawn(opened, name):
    page = opened(name)
    show_all(page)
    shown = page.eval_on_selector_all(
        ".figure", "all => all.filter((it) => !it.hidden && it.offsetParent).map((it) => it.id)"
    )
    expected = {"front", "parallel", "parts-time", "parts-energy", "parts-memory", "parts-area"}
    expected |= {"importances", "convergence", "timeline"}
    assert set(shown) == expected | ({"dies"} if name == "ci_watos" else set())
    drawn = page.eval_on_selector_all(".figure .main-svg", "all => all.length")
    assert drawn >= len(shown)


def test_every_axis_has_a_title_with_its_unit(opened):
    page = opened("ci_watos")
    show_all(page)
    assert page.text_content("#front .xtitle") == "tokens per s [token/s]"
    assert page.text_content("#front .ytitle") == "energy per token [J]"
    units = {"time": "s", "energy": "J", "memory": "B", "area": "mm²"}
    for key, unit in units.items():
        assert page.text_content(f"#parts-{key} .xtitle") == f"[{unit}]"
    assert page.text_content("#timeline .xtitle") == "time [s]"
    assert page.text_content("#importances .xtitle") == "importance [%]"
    assert page.text_content("#convergence .ytitle") == "hypervolume [% of the last]"


def test_hover_shows_the_design(opened, runs):
    page = opened("ci_watos")
    place = lone(page, runs, "ci_watos")
    page.mouse.move(*point(page, place))
    page.wait_for_selector("#front .hoverlayer .hovertext")
    said = page.text_content("#front .hoverlayer")
    row = Stored.load(runs / "ci_watos").rows[place]
    assert f"design {place + 1}" in said
    assert f"grid rows: {row['hardware.grid.rows']}" in said
    assert f"pp: {row['pp']}" in said


def test_a_click_picks_a_design_and_its_parts_are_shown(opened, runs):
    page = opened("ci_watos")
    show_all(page)
    place = lone(page, runs, "ci_watos")
    named = f"design {place + 1}"
    before = page.eval_on_selector_all("#parts-time .ytick", "all => all.map((t) => t.textContent)")
    assert named not in before
    page.mouse.click(*point(page, place))
    page.wait_for_function(
        "name => [...document.querySelectorAll('#parts-time .ytick')]"
        ".some((tick) => tick.textContent === name)",
        arg=named,
    )
    assert page.text_content("#design-name") == f"Design {place + 1} of 48"
    assert page.text_content("#again").endswith(f"--row {place + 1}")
    total = page.evaluate(
        "place => Object.values(data.looks[place].panels.time.parts).reduce((a, b) => a + b)", place
    )
    row = Stored.load(runs / "ci_watos").rows[place]
    assert total == pytest.approx(row["iteration_s"], rel=1e-5)
    page.click(f"#picked [aria-label='take {named} away']")
    after = page.eval_on_selector_all("#parts-time .ytick", "all => all.map((t) => t.textContent)")
    assert after == before


def test_the_choice_of_axes_and_colour_changes_the_front(opened):
    page = opened("ci_star")
    assert page.text_content("#front .xtitle") == "throughput [GOP/s]"
    page.select_option("#x", "energy_j")
    assert page.text_content("#front .xtitle") == "energy [J]"
    page.select_option("#y", "bound")
    assert page.text_content("#front .ytitle") == "bound"
    page.select_option("#colour", "bound")
    names = page.eval_on_selector_all("#front .legendtext", "all => all.map((t) => t.textContent)")
    assert names == ["compute", "predict", "sram"]
    page.select_option("#y", "latency_s")
    page.check("#log-y")
    assert page.evaluate("document.getElementById('front').layout.yaxis.type") == "log"


def test_another_design_is_seen_closely(opened, runs):
    page = opened("ci_watos")
    show_all(page)
    offered = page.eval_on_selector_all("#close option", "all => all.map((o) => o.value)")
    first = page.evaluate("document.getElementById('timeline').layout.yaxis.ticktext.length")
    rows = Stored.load(runs / "ci_watos").rows
    other = next(place for place in offered if rows[int(place)]["pp"] != first)
    page.select_option("#close", other)
    lanes = page.evaluate("document.getElementById('timeline').layout.yaxis.ticktext.length")
    assert lanes == rows[int(other)]["pp"]


def test_the_table_sorts_and_picks(opened, runs):
    page = opened("ci_watos")
    rows = Stored.load(runs / "ci_watos").rows
    column = list(rows[0]).index("wafer_cost_usd") + 2
    page.click(f"#table th:nth-child({column})")
    first = page.text_content("#table tbody tr:first-child td:first-child")
    assert rows[int(first) - 1]["wafer_cost_usd"] == min(row["wafer_cost_usd"] for row in rows)
    page.click(f"#table th:nth-child({column})")
    first = page.text_content("#table tbody tr:first-child td:first-child")
    assert rows[int(first) - 1]["wafer_cost_usd"] == max(row["wafer_cost_usd"] for row in rows)
    page.click("#table tbody tr:first-child")
    assert page.text_content("#design-name").startswith(f"Design {first} of")


def test_light_and_dark(opened):
    page = opened("ci_watos")
    papers = []
    for _ in range(2):
        papers.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.click("#theme")
    assert papers == ["rgb(246, 247, 249)", "rgb(16, 20, 26)"]


def test_html_in_a_front_is_text(opened):
    """In the names and values of a column, wherever they are shown."""
    page = opened("ci_star")
    show_all(page)
    page.select_option("#x", EVIL)
    page.select_option("#colour", EVIL)
    assert page.text_content("#front .xtitle") == EVIL
    ticks = page.eval_on_selector_all("#front .xtick", "all => all.map((t) => t.textContent)")
    assert ticks == [f"{EVIL}0", f"{EVIL}1"]
    page.mouse.move(*point(page, 0))
    page.wait_for_selector("#front .hoverlayer .hovertext")
    assert EVIL in page.text_content("#front .hoverlayer")
    assert page.query_selector_all("img") == []
    assert json.loads(page.text_content("#data"))["columns"][-1]["name"] == EVIL
