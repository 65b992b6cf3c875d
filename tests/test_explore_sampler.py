"""What the sampler is asked and told."""

from dataclasses import dataclass, field

from test_explore_run import Toy, nsga2, read, sweep

from star_watos import explore as ex
from star_watos.cost import Overflow
from star_watos.explore.neighbours import Neighbourhood
from star_watos.explore.record import Record, State
from star_watos.explore.study import OptunaProposer


@dataclass(frozen=True)
class Counted(Toy):
    """Notes what it is asked, which works as long as it runs in this process."""

    asked: list = field(default_factory=list)

    def evaluate(self, parameters: ex.Parameters) -> ex.Outcome:
        self.asked.append(tuple(parameters.values()))
        return super().evaluate(parameters)


def test_no_candidate_is_evaluated_twice(tmp_path):
    """Random sampling alone keeps its repeats, so that it stays what it is called."""
    toy = Counted()
    search = nsga2(200) | {"sampler": "random"}
    result = ex.explore(sweep(search=search), toy, tmp_path / "run")
    assert len(set(toy.asked)) == len(toy.asked) == result.tally.distinct < 200


def test_a_trial_has_the_best_of_each_objective_over_its_mappings(tmp_path):
    objectives = {"power_w": "maximize", "time_s": "minimize"}
    a_sweep = sweep(objectives=objectives)
    result = ex.explore(a_sweep, Toy(), tmp_path / "run")
    for trial in read(result.out / "trials.csv"):
        rows = list(Toy().mappings({name: int(trial[name]) for name in a_sweep.space}))
        assert float(trial["power_w"]) == max(row["power_w"] for row in rows)
        assert float(trial["time_s"]) == min(row["time_s"] for row in rows)


def test_the_sampler_is_told_the_ideal_point_or_the_excess():
    objectives = {"power_w": "maximize", "time_s": "minimize"}
    a_sweep = sweep(objectives=objectives, search=nsga2(20))
    proposer = OptunaProposer(a_sweep, ex.Space.of(a_sweep.space), None)
    proposer.ask(4)
    over = Overflow("area_mm2", 15.0, 10.0, "mm2")
    good, better = (Record(State.COMPLETE, ideal) for ideal in ((3.0, 5.0), (4.0, 2.0)))
    records = [good, Record(State.INFEASIBLE, nearest=over), better, Record(State.INVALID)]
    proposer.tell(records, front=dict)
    trials = proposer._study.trials
    # Worst told: the smaller power and the longer time.
    assert [t.values for t in trials] == [[3.0, 5.0], [3.0, 5.0], [4.0, 2.0], [3.0, 5.0]]
    assert [t.constraints for t in trials] == [{"excess": x} for x in (0.0, 0.5, 0.0, 1e6)]


def test_a_baseline_in_the_space_is_tried_first(tmp_path):
    baseline = {"rows": 7, "cols": 3, "sram_kib": 64, "clock_hz": 1e9}
    result = ex.explore(sweep(search=nsga2(20)), Toy(), tmp_path / "run", baseline=baseline)
    first = read(result.out / "trials.csv")[0]
    assert (first["rows"], first["cols"], first["sram_kib"]) == ("7", "3", "64")


def test_a_repeat_makes_way_for_a_neighbour_of_the_front():
    """Of a 3 x 3 space with the middle on the front, its four neighbours come first."""
    near = Neighbourhood((3, 3))
    near.add((1, 1))
    near.settle({(1, 1): 0.5}, seed=0)
    asked = []
    for _ in range(8):
        asked.append(near.pop())
        near.add(asked[-1])
    assert set(asked[:4]) == {(0, 1), (2, 1), (1, 0), (1, 2)}
    assert len(set(asked)) == 8
    assert near.pop() is None


def test_neighbours_of_what_adds_most_to_the_front_come_first():
    """(0, 1) and (1, 0) touch both points, the others only one."""
    near = Neighbourhood((3, 3))
    near.settle({(0, 0): 1.0, (1, 1): 2.0}, seed=0)
    asked = [near.pop() for _ in range(4)]
    assert set(asked[:2]) == {(0, 1), (1, 0)}
    assert set(asked[2:]) == {(1, 2), (2, 1)}
    near.settle({(0, 0): 9.0, (2, 2): 1.0}, seed=0)
    assert {near.pop(), near.pop()} == {(0, 1), (1, 0)}


def test_no_candidate_is_evaluated_twice_while_there_are_others(tmp_path):
    for sampler in ("nsga2", "tpe"):
        search = nsga2(200) | {"sampler": sampler}
        result = ex.explore(sweep(search=search), Toy(), tmp_path / sampler)
        assert result.manifest["distinct_trials"] >= 190
