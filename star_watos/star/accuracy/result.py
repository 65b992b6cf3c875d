"""The result of `star accuracy`: rows, means, perplexities; as JSON and as CSV."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from star_watos.files import Scalar, lines
from star_watos.star.accuracy.rows import Row, mean, row, summary
from star_watos.star.accuracy.run import Perplexities, Run
from star_watos.star.algorithms.complexity import load_complexity


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What was measured on one model, text and length."""

    run: Run
    rows: list[Row]
    """One a layer and keep ratio."""
    target_mass: float | None
    """Where set, each layer has its own keep ratio, and one row."""
    perplexities: dict[float, Perplexities]
    """By (mean) keep ratio, where asked for."""

    @property
    def means(self) -> list[Row]:
        """Means over layers: one a keep ratio, or one in all where each layer has its own."""
        return summary(self.rows) if self.target_mass is None else [mean(self.rows)]

    def document(self) -> dict[str, Any]:
        """Return the JSON document `star-accuracy/1`.

        `perplexity` is that of the largest keep ratio; each mean in `summary` has its own.
        """
        run = self.run
        found: dict[str, Any] = {
            "schema": "star-accuracy/1",
            "model": run.model.name,
            "model_source": run.model.source,
            "text": run.text.source,
            "seq_len": len(run.tokens),
            "predictor": str(run.setting.predictor),
            "sorter": str(run.setting.sorter),
            "weights": load_complexity().weights.as_dict(),
            "rows": self.rows,
            "target_mass": self.target_mass,
            "summary": [each | self._perplexity(each["keep_ratio"]) for each in self.means],
        }
        if not self.perplexities:
            return found
        return found | self._perplexity(max(self.perplexities))

    def _perplexity(self, keep_ratio: float) -> dict[str, Any]:
        measured = self.perplexities.get(keep_ratio)
        if measured is None:
            return {}
        return {"perplexity": asdict(measured) | {"keep_ratio": keep_ratio, "loss": measured.loss}}

    def csv(self) -> str:
        """Return the rows as CSV, nested figures as `group.name`."""
        flat = [dict(_flat(each)) for each in self.rows]
        names = list(dict.fromkeys(name for each in flat for name in each))
        return lines([names, *([each.get(name) for name in names] for each in flat)])


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Scalar]]:  # noqa: ANN401 (a row's value)
    """Yield the plain values inside a row, each with its path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{name}.{index}")
    else:
        yield name, value


def measure(
    run: Run,
    keep_ratios: Sequence[float],
    target_mass: float | None = None,
    *,
    perplexity: bool = False,
) -> Accuracy:
    """Measure every layer at every keep ratio, or at that which serves; end to end where asked."""
    if perplexity:
        run.need_decoder()
    rows = [row(measured, run.setting) for measured in run.measure(keep_ratios, target_mass)]
    result = Accuracy(run, rows, target_mass, {})
    if not perplexity:
        return result
    if target_mass is not None:
        by_layer = [each["keep_ratio"] for each in rows]
        measured = {mean(rows)["keep_ratio"]: run.perplexities(by_layer)}
    else:
        measured = {ratio: run.perplexities([ratio] * run.model.n_layers) for ratio in keep_ratios}
    return replace(result, perplexities=measured)
