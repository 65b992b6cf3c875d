"""The command `star`."""

from typing import Annotated

import typer

from star_watos.cli import common, exploring
from star_watos.cli.accuracy import add_accuracy
from star_watos.cli.collective import add_collective
from star_watos.cli.compare import add_compare
from star_watos.cli.core import add_simulate
from star_watos.cli.exporting import add_export
from star_watos.cli.reporting import add_report
from star_watos.cli.runs import add_runs
from star_watos.errors import InputError

app = common.new_app("star", "Sparse-attention cores: how fast, how much energy, how much silicon.")


def main() -> None:
    """Run the command."""
    common.guard(app)


add_simulate(app)
exploring.add_explore(app, "star")
add_runs(app, "star")
add_export(app)
add_report(app, "star")
add_accuracy(app)
add_compare(app)
add_collective(app)


@app.command()
def validate(
    fidelity: Annotated[
        str, typer.Option(help="analytic: against publications. event: against the simulation.")
    ] = "analytic",
    designs: Annotated[
        int, typer.Option(min=1, help="How many designs, with --fidelity event.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Which random ones.")] = 0,
    sweep: Annotated[
        str | None, typer.Option(help="Not random ones, but those of this sweep's front.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; one a core when left out.")
    ] = None,
    as_json: common.Json = False,
) -> None:
    """Published area, power and speed beside ours; or the formulas beside the event simulation."""
    if common.choice("--fidelity", fidelity, common.Fidelity) is common.Fidelity.EVENT:
        _validate_fidelity(seed, designs, sweep, jobs, as_json=as_json)
        return
    if sweep is not None:
        raise InputError.of("--sweep", "is for --fidelity event")
    from star_watos.validate.accelerators import accelerator_comparisons
    from star_watos.validate.cores import core_comparisons
    from star_watos.validate.memories import sram_comparisons

    rows = core_comparisons() + sram_comparisons() + accelerator_comparisons()
    for text in dict.fromkeys(row.note for row in rows):
        common.note(text)
    common.show_comparisons("star-validate/1", rows, as_json=as_json)


def _validate_fidelity(
    seed: int, designs: int, sweep: str | None, jobs: int | None, *, as_json: bool
) -> None:
    import os

    from star_watos.report.validation import print_agreement
    from star_watos.validate.fidelity import document, gaps, random_cases
    from star_watos.validate.searched import searched_cases

    source = f"designs of the front of {sweep}" if sweep else f"random legal designs, seed {seed}"
    found = []
    with common.interruptible("the comparison of formulas and events"):
        cases = searched_cases(sweep, designs) if sweep else list(random_cases(seed, designs))
        if not cases:
            typer.echo(f"nothing fits: star explore {sweep} says what is in the way", err=True)
            raise typer.Exit(common.NOTHING_FITS)
        for gap in gaps(cases, jobs or os.cpu_count() or 1):
            found.append(gap)
            common.progress("designs", len(found), len(cases))
    report = document(source, found)
    if as_json:
        common.print_json(report)
    else:
        print_agreement(report)


@app.command()
def schema(
    kind: Annotated[
        str,
        typer.Argument(help="core, mesh, sweep, mesh-sweep, sparsity, technology or accelerator."),
    ] = "core",
) -> None:
    """Print the JSON Schema of a kind of YAML file, for editors."""
    from star_watos.explore.star import CoreExploration
    from star_watos.explore.star_mesh import MeshExploration
    from star_watos.spec import Spec
    from star_watos.star import Core, Sparsity
    from star_watos.star.spatial import Noc
    from star_watos.technology.core import CoreTechnology
    from star_watos.validate.accelerators import Accelerator

    kinds: dict[str, type[Spec]] = {
        "core": Core,
        "mesh": Noc,
        "sweep": CoreExploration,
        "mesh-sweep": MeshExploration,
        "sparsity": Sparsity,
        "technology": CoreTechnology,
        "accelerator": Accelerator,
    }
    common.print_schema(kinds, kind)


if __name__ == "__main__":
    main()
