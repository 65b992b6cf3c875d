"""`star accuracy`: its options, and what it does."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from star_watos.cli import common
from star_watos.errors import InputError

if TYPE_CHECKING:
    from star_watos.files import Folder
    from star_watos.star.accuracy import Accuracy, Run, Setting
    from star_watos.star.sparsity import Sparsity

TILE_KEYS = 64
"""Keys of a segment: the key tile that `star simulate --seq-len 4k` takes, SOFA's point."""
TABLE, DOCUMENT = "accuracy.csv", "accuracy.json"


@dataclass(frozen=True, slots=True)
class Algorithms:
    """The options that say which algorithms are measured."""

    predictor: str
    snap: str
    encode: str
    score_bits: int
    sorter: str
    segments: int | None
    layout: str
    radius: float | None
    arithmetic: str


@dataclass(frozen=True, slots=True)
class Saving:
    """The options that say what is written."""

    out: Path | None
    force: bool
    profile: Path | None
    beside: list[str] | None


_Model = Annotated[
    str, typer.Option(help="Real weights: smollm2, minilm, or a Llama-family .gguf file.")
]
_Text = Annotated[Path | None, typer.Option(help="UTF-8 text; Python's own prose when left out.")]
_SeqLen = Annotated[str, typer.Option(metavar="TOKENS", help="Tokens of the text that are read.")]
_Keep = Annotated[
    str, typer.Option(metavar="RATIO,...", help="Keep ratios k / seq_len, in (0, 1].")
]
_Predictor = Annotated[str, typer.Option(help="dlzs, slzs, int4 or exact.")]
_Snap = Annotated[str, typer.Option(help="floor or nearest power of two.")]
_Encode = Annotated[str, typer.Option(help="Operand of dlzs that is encoded: query or key.")]
_ScoreBits = Annotated[int, typer.Option(min=2, max=24, help="Bits kept of a predicted score.")]
_Sorter = Annotated[str, typer.Option(help="sads, or full (whole rows, exactly).")]
_Segments = Annotated[
    int | None,
    typer.Option(
        min=1, max=4096, help="Segments of a row.", show_default=f"one per {TILE_KEYS} keys"
    ),
]
_Layout = Annotated[str, typer.Option(help="Of segments: strided, contiguous or adaptive.")]
_Radius = Annotated[
    float | None,
    typer.Option(min=0, help="Keys further below the best Q K / sqrt(d) so far go."),
]
_Arithmetic = Annotated[str, typer.Option(help="Of SU-FA: integer (16 bit) or float (64 bit).")]
_Perplexity = Annotated[bool, typer.Option("--perplexity", help="Also run the model end to end.")]
_SaveProfile = Annotated[
    Path | None, typer.Option(help="Write a sparsity profile (YAML); runs end to end.")
]
_TargetMass = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Each layer takes the least of KEEP that keeps it."),
]
_ExtrapolateWith = Annotated[
    list[str] | None,
    typer.Option(metavar="PROFILE", help="Profile at another length; repeatable."),
]
_Jobs = Annotated[
    int, typer.Option(min=0, max=1024, help="Threads; 0 is one a core.", show_default="all")
]
_Out = Annotated[Path | None, typer.Option(help=f"Folder for {TABLE} and {DOCUMENT}.")]
_Force = Annotated[bool, typer.Option("--force", help="Overwrite an earlier run.")]


def add_accuracy(app: typer.Typer) -> None:
    """Give `app` the command."""
    app.command()(accuracy)


def accuracy(
    model: _Model = "smollm2",
    text: _Text = None,
    seq_len: _SeqLen = "2k",
    keep: _Keep = "0.05,0.1,0.2",
    predictor: _Predictor = "dlzs",
    snap: _Snap = "floor",
    encode: _Encode = "query",
    score_bits: _ScoreBits = 8,
    sorter: _Sorter = "sads",
    segments: _Segments = None,
    layout: _Layout = "strided",
    radius: _Radius = None,
    arithmetic: _Arithmetic = "integer",
    perplexity: _Perplexity = False,
    save_profile: _SaveProfile = None,
    target_mass: _TargetMass = None,
    extrapolate_with: _ExtrapolateWith = None,
    jobs: _Jobs = 0,
    out: _Out = None,
    force: _Force = False,
    as_json: common.Json = False,
) -> None:
    """Run the algorithms on a real model: what they find, keep, cost and change."""
    chosen = Algorithms(
        predictor, snap, encode, score_bits, sorter, segments, layout, radius, arithmetic
    )
    saving = Saving(out, force, save_profile, extrapolate_with)
    ratios = _ratios(keep)
    _check(saving, ratios, target_mass)
    run = _run(model, text, seq_len, chosen, jobs)
    with common.interruptible("nothing was written"):
        _accuracy(run, ratios, target_mass, saving, perplexity=perplexity, as_json=as_json)


def _accuracy(
    run: "Run",
    ratios: list[float],
    target_mass: float | None,
    saving: Saving,
    *,
    perplexity: bool,
    as_json: bool,
) -> None:
    """Measure, save and print."""
    from star_watos.report.accuracy import print_accuracy
    from star_watos.star.accuracy import measure

    others = _profiles(saving.beside or [], run)
    folder = _folder(saving)
    end_to_end = perplexity or (saving.profile is not None and run.has_perplexity)
    result = measure(run, ratios, target_mass, perplexity=end_to_end)
    if saving.profile is not None:
        _save_profile(saving.profile, result, others)
    if folder is not None:
        folder.replace(TABLE, result.csv())
        folder.replace(DOCUMENT, common.json_text(result.document()) + "\n")
    if as_json:
        common.print_json(result.document())
    else:
        print_accuracy(result.document())


def _ratios(text: str) -> list[float]:
    """Return the keep ratios of `--keep`, ascending, each once."""
    try:
        ratios = sorted({float(part) for part in text.split(",")})
    except ValueError:
        ratios = []
    if not ratios or not 0 < ratios[0] <= ratios[-1] <= 1:
        allowed = "expected numbers in (0, 1] with commas between them"
        raise InputError.of("--keep", f"{allowed}, got {text[:80]!r}")
    return ratios


def _setting(options: Algorithms, seq_len: int) -> "Setting":
    """Return the algorithms that the options name."""
    from star_watos.star.accuracy import Numbers, Setting, Sorter
    from star_watos.star.algorithms import Arithmetic, Encode, Layout, Method, Predictor, Sads, Snap

    predictor = Predictor(
        method=common.choice("--predictor", options.predictor, Method),
        snap=common.choice("--snap", options.snap, Snap),
        encode=common.choice("--encode", options.encode, Encode),
        score_bits=options.score_bits,
    )
    layout = common.choice("--layout", options.layout, Layout)
    whole = common.choice("--sorter", options.sorter, Sorter) is Sorter.FULL
    segments = options.segments or -(-seq_len // TILE_KEYS)
    sorter = Sads(1 if whole else segments, layout, options.radius)
    floats = common.choice("--arithmetic", options.arithmetic, Numbers) is Numbers.FLOAT
    return Setting(predictor, sorter, None if floats else Arithmetic())


def _run(model: str, text: Path | None, seq_len: str, options: Algorithms, jobs: int) -> "Run":
    """Return the model with the tokens that it is to read."""
    from star_watos.cli.exploring import n_jobs
    from star_watos.star.accuracy import Run, read_tokens
    from star_watos.tensors import load_real_model, read_text
    from star_watos.units import TOKENS, quantity

    try:
        wanted = quantity(seq_len, TOKENS)
    except ValueError as error:
        raise InputError.of("--seq-len", str(error)) from None
    if not wanted.is_integer():
        raise InputError.of("--seq-len", f"expected a whole number of tokens, got {seq_len!r}")
    tokens = int(wanted)
    setting = _setting(options, tokens)
    words = read_text(text)
    loaded = load_real_model(model, common.note)
    return Run(
        model=loaded,
        text=words,
        tokens=read_tokens(loaded, words, tokens),
        setting=setting,
        jobs=n_jobs(jobs),
        progress=common.progress,
    )


def _profiles(names: list[str], run: "Run") -> "list[Sparsity]":
    from star_watos.spec import load
    from star_watos.star import Sparsity
    from star_watos.star.accuracy import check_lengths

    profiles = [load(Sparsity, name, "configs/sparsity") for name in names]
    check_lengths(run, profiles)
    return profiles


def _check(saving: Saving, ratios: list[float], target_mass: float | None) -> None:
    """Say before hours of work, not after, that a profile cannot be written."""
    path = saving.profile
    if path is None:
        return
    if len(ratios) > 1 and target_mass is None:
        text = "of several --keep ratios, --target-mass says which one each layer takes"
        raise InputError.of("--save-profile", text)
    if path.is_dir():
        raise InputError.of(str(path), "is a folder, not a file")
    if path.exists() and not saving.force:
        raise InputError.of(str(path), "exists already; --force replaces it")
    if not path.resolve().parent.is_dir():
        raise InputError.of(str(path), f"there is no folder {path.parent}")


def _folder(saving: Saving) -> "Folder | None":
    from star_watos.files import Folder

    if saving.out is None:
        return None
    return Folder(saving.out, (TABLE, DOCUMENT), force=saving.force)


def _save_profile(path: Path, result: "Accuracy", others: "list[Sparsity]") -> None:
    from star_watos.star.accuracy import profile, save

    target = "one keep ratio in every layer"
    if result.target_mass is not None:
        target = f"least ratio tried that keeps {result.target_mass:g} of the softmax mass, or most"
    measured = next(iter(result.perplexities.values()), None)
    save(profile(path.stem, result.run, result.rows, target, measured, others), path)
    common.note(f"{path}: mean keep ratio {result.means[0]['keep_ratio']:.4g}")
