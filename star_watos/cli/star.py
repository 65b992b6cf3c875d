"""The command `star`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from star_watos.cli import common, exploring
from star_watos.cli.accuracy import add_accuracy
from star_watos.cli.compare import add_compare
from star_watos.cli.core import add_simulate

if TYPE_CHECKING:
    from star_watos.explore import Exploration

app = common.new_app("star", "Sparse-attention cores: how fast, how much energy, how much silicon.")


def main() -> None:
    """Run the command."""
    common.guard(app)


def _exploration() -> "tuple[type[Exploration], Any]":
    from star_watos.explore.star import CoreExploration, CoreProblem

    return CoreExploration, CoreProblem


add_simulate(app)
exploring.add_explore(app, _exploration)
add_accuracy(app)
add_compare(app)


@app.command()
def validate(as_json: common.Json = False) -> None:
    """Published area, power and speed beside ours: SOFA, other accelerators, SRAM macros."""
    from star_watos.validate.accelerators import accelerator_comparisons
    from star_watos.validate.cores import core_comparisons
    from star_watos.validate.memories import sram_comparisons

    rows = core_comparisons() + sram_comparisons() + accelerator_comparisons()
    for text in dict.fromkeys(row.note for row in rows):
        common.note(text)
    common.show_comparisons("star-validate/1", rows, as_json=as_json)


@app.command()
def schema(
    kind: Annotated[
        str, typer.Argument(help="core, sweep, sparsity, technology or accelerator.")
    ] = "core",
) -> None:
    """Print the JSON Schema of a kind of YAML file, for editors."""
    from star_watos.explore.star import CoreExploration
    from star_watos.spec import Spec
    from star_watos.star import Core, Sparsity
    from star_watos.technology.core import CoreTechnology
    from star_watos.validate.accelerators import Accelerator

    kinds: dict[str, type[Spec]] = {
        "core": Core,
        "sweep": CoreExploration,
        "sparsity": Sparsity,
        "technology": CoreTechnology,
        "accelerator": Accelerator,
    }
    common.print_schema(kinds, kind)


if __name__ == "__main__":
    main()
