"""How large the page of 1,000 designs is, and how long headless Chromium takes to open it.

Run it as `python benchmarks/report.py`; CHROMIUM may name the browser. A page is open when its
front is drawn and can be clicked.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from star_watos.explore import Source, explore
from star_watos.explore.candidates import load_sweep
from star_watos.explore.star import CoreExploration, CoreProblem
from star_watos.explore.stored import Stored
from star_watos.report.html.page import write_report

DESIGNS = 1000
TRIALS = 8000
REPEATS = 8
SWEEP = "star_llama2_7b_4k"
CHANGES = ("tiles=common", "search.sampler=random", "constraints.area_mm2.max=20")


def front(folder: Path, trials: int) -> Stored:
    """Return a run with a long front, cut at `DESIGNS`."""
    changes = [*CHANGES, f"search.trials={trials}"]
    sweep, beside = load_sweep(CoreExploration, SWEEP, changes)
    source = Source(sweep.model_dump(mode="json"), beside)
    run = explore(sweep, CoreProblem(sweep, beside), folder / "run", source=source)
    path = run.out / "pareto.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[: DESIGNS + 1]), encoding="utf-8")
    return Stored.load(path)


def opened_s(page: Path, chromium: str) -> list[tuple[float, float]]:
    """Return the seconds until the page can be used, and those its thread was at work, each time.

    The second does not count what other programs take of the processor.
    """
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (not needed for the size)

    found = []
    with sync_playwright() as library:
        browser = library.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(REPEATS):
            window = browser.new_page()
            tools = window.context.new_cdp_session(window)
            tools.send("Performance.enable", {"timeDomain": "threadTicks"})
            start = time.perf_counter()
            window.goto(page.as_uri())
            window.wait_for_selector("html[data-ready=true]")
            wall_s = time.perf_counter() - start
            metrics = tools.send("Performance.getMetrics")["metrics"]
            at_work = {metric["name"]: metric["value"] for metric in metrics}["TaskDuration"]
            found.append((wall_s, at_work))
            window.close()
        browser.close()
    return found


def main(trials: int = TRIALS) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        stored = front(Path(folder), trials)
        start = time.perf_counter()
        write_report(stored)
        made_s = time.perf_counter() - start
        page = stored.folder / "report.html"
        print(
            f"{len(stored.rows):,} designs, {page.stat().st_size:,} bytes, made in {made_s:.1f} s"
        )
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
        if chromium is None:
            sys.exit("no Chromium to open it: set CHROMIUM")
        wall_s, work_s = zip(*opened_s(page, chromium), strict=True)
        print(f"opened in {min(wall_s):.2f} to {max(wall_s):.2f} s, {len(wall_s)} times")
        print(f"of which its thread was at work {min(work_s):.2f} to {max(work_s):.2f} s")


if __name__ == "__main__":
    main()
