"""Generations of NSGA-II whose members anybody may have proposed."""

from collections.abc import Mapping

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import NSGAIISampler
from optuna.trial import FrozenTrial


class Lineage:
    """The parents of the next trials, and who is told since they were picked."""

    def __init__(self, population: int, axes: Mapping[str, BaseDistribution]) -> None:
        """Begin without parents; all trials have the same axes."""
        self.population = population
        self.axes = {name: axis for name, axis in axes.items() if not axis.single()}
        self.parents: list[FrozenTrial] = []
        self.members: list[FrozenTrial] = []

    def sampler(self, study: Study, seed: int) -> NSGAIISampler:
        """Return a sampler that breeds from the parents, picked anew if a generation is full."""
        sampler = _Breeder(self, seed)
        if len(self.members) >= self.population:
            self.parents = sampler.select_parent(study, generation=1)
            self.members = []
        return sampler


class _Breeder(NSGAIISampler):
    """NSGA-II as Optuna has it, but for who is in a generation.

    Optuna counts only what the sampler itself proposes, not the first points or neighbours of the
    front, and looks for it, and for the axes, among all trials again and again.
    """

    def __init__(self, lineage: Lineage, seed: int) -> None:
        """Breed from the parents of `lineage`."""
        super().__init__(population_size=lineage.population, seed=seed)
        self._lineage = lineage

    def infer_relative_search_space(
        self,
        study: Study,  # noqa: ARG002 (Optuna's)
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        """Return the axes that have more than one value."""
        return self._lineage.axes

    def get_trial_generation(self, study: Study, trial: FrozenTrial) -> int:  # noqa: ARG002 (Optuna's)
        """Return a number above 0: every trial is of the generation after the parents'."""
        return 1

    def get_population(self, study: Study, generation: int) -> list[FrozenTrial]:  # noqa: ARG002
        """Return who is told since the parents were picked."""
        return self._lineage.members

    def get_parent_population(self, study: Study, generation: int) -> list[FrozenTrial]:  # noqa: ARG002
        """Return the parents."""
        return self._lineage.parents
