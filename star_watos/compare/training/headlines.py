"""The paper's average ratios beside ours, and the same under other readings."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

from star_watos.compare.training.case import Case
from star_watos.compare.training.rows import Row
from star_watos.compare.training.trained import Trained, of_simulation
from star_watos.cost import Overflow

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Headline:
    """A mean of ratios over the models, and by model under other readings."""

    name: str
    paper: float
    ours: float | None
    why: str
    other_readings: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Reading:
    """What else a headline may mean."""

    headline: str
    name: str
    key: str
    value: float
    source: str


def readings(headline: str) -> list[Reading]:
    """Return those of one headline.

    >>> [reading.name for reading in readings("vs_megatron_gpu")]
    ['2 TB/s a GPU', 'kernels as measured on B200']
    """
    rows = [
        Reading(row["headline"], row["reading"], row["key"], float(row["value"]), row["source"])
        for row in _rows("readings.csv")
    ]
    return [reading for reading in rows if reading.headline == headline]


def headlines(rows: Sequence[Row]) -> list[Headline]:
    """Return each of the paper's ratios beside ours."""
    return [
        Headline(
            name=row["name"],
            paper=float(row["paper"]),
            ours=_mean(each.ratio(row["name"].removeprefix("vs_")) for each in rows),
            why=_WHY[row["name"]](rows),
            other_readings={
                reading.name: _mean(_ratio(each, reading) for each in rows)
                for reading in readings(row["name"])
            },
        )
        for row in _rows("headlines.csv")
    ]


def _rows(name: str) -> list[dict[str, str]]:
    with (_HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _mean(ratios: Iterable[float | None]) -> float | None:
    known = [ratio for ratio in ratios if ratio is not None]
    return mean(known) if known else None


def _ratio(row: Row, reading: Reading) -> float | None:
    """Return one model's ratio under another reading."""
    case = row.case
    match reading.key:
        case "rule" | "rule_unfused":
            usual = case.training.attention
            attention = "unfused" if reading.key == "rule_unfused" else usual
            training = case.training.model_copy(update={"attention": attention})
            found = replace(case, training=training).rule_of_thumb
            return _over(row, found if isinstance(found, Overflow) else of_simulation(found))
        case "global_batch":
            training = case.training.model_copy(update={"global_batch": int(reading.value)})
            return replace(case, training=training).gain
        case "off_wafer":
            return _over(row, row.streamed(_fed(case, reading.value)))
        case key:
            return _over(row, row.on_gpus([f"{key}={reading.value}"]))


def _over(row: Row, other: Trained | Overflow) -> float | None:
    """Return the throughput over another's."""
    ours = row.trained["watos"]
    if isinstance(ours, Overflow) or isinstance(other, Overflow):
        return None
    return ours.tokens_per_s / other.tokens_per_s


def _fed(case: Case, bytes_per_s: float) -> Case:
    """Return the case with another bandwidth into the wafer."""
    assert case.wafer.off_wafer is not None  # noqa: S101 (weights were streamed)
    off_wafer = case.wafer.off_wafer.model_copy(update={"bandwidth_bytes_per_s": bytes_per_s})
    return replace(case, wafer=case.wafer.model_copy(update={"off_wafer": off_wafer}))


def _mfus(rows: Sequence[Row], strategy: str) -> list[float]:
    found = (row.trained[strategy] for row in rows)
    return [trained.mfu for trained in found if not isinstance(trained, Overflow)]


def _spread(values: Sequence[float]) -> str:
    """Return the range of shares as text.

    >>> _spread([0.7, 0.866])
    '70 to 87 %'
    """
    if not values:
        return "nothing"
    low, high = (f"{100 * end:.0f}" for end in (min(values), max(values)))
    return f"{low} %" if low == high else f"{low} to {high} %"


def _why_megatron(rows: Sequence[Row]) -> str:
    megatron, ours = _mfus(rows, "megatron_wafer"), _mfus(rows, "watos")
    if not megatron:
        return "no plan of Megatron-LM fits"
    most = mean(1 / mfu for mfu in megatron)
    return (
        f"Megatron-LM's best plan, all of them being tried, reaches {_spread(megatron)} of the "
        f"wafer's peak here and ours {_spread(ours)}: not even dies that never wait would be more "
        f"than {most:.2f} times as fast on the mean. The paper is said to find utilizations of "
        "about 40 and 80 %: its Megatron-LM loses what ours, which is searched, does not; the "
        "other readings are of one that is not"
    )


def _why_streaming(rows: Sequence[Row]) -> str:
    streaming = _mfus(rows, "weight_streaming")
    return (
        f"weight streaming reaches {_spread(streaming)} of the peak: with large batches a layer's "
        "weights come in faster than the dies work on it, nothing waits for other stages, and "
        "neither weights nor optimizer states take memory. It pays with the links into the wafer, "
        "of which the paper's are not known"
    )


def _why_gpus(rows: Sequence[Row]) -> str:
    gpus = _mfus(rows, "megatron_gpu")
    return (
        f"GPUs of equal FLOP/s reach {_spread(gpus)} of them: attention at the rate measured on "
        "B200 (scaled by peak), collectives in 67 % of NVLink, products without loss but by waves "
        "and memory, as on dies"
    )


_WHY = {
    "vs_megatron_wafer": _why_megatron,
    "vs_weight_streaming": _why_streaming,
    "vs_megatron_gpu": _why_gpus,
}
