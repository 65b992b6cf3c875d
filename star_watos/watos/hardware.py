"""Hardware of two kinds by one name: a wafer's template or a cluster's."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from star_watos.errors import InputError
from star_watos.spec import locate, read, validate
from star_watos.watos.cluster import Cluster
from star_watos.watos.dies import Dies
from star_watos.watos.legal import Choices, cluster_plans, legal_plans
from star_watos.watos.machine import Machine
from star_watos.watos.plans import Plans
from star_watos.watos.switched import Switched
from star_watos.watos.training import Training
from star_watos.watos.wafer import Wafer
from star_watos.workload import Model

Hardware: TypeAlias = Wafer | Cluster
WAFERS, CLUSTERS = "configs/wafers", "configs/clusters"


def load_hardware(name: str, overrides: Sequence[str] = (), beside: Path | None = None) -> Hardware:
    """Return the wafer or cluster that `name` means: a shipped name, or the path of a template.

    A file with a `network` is a cluster's. A relative path is looked up in the folder `beside`
    first. Raises `InputError`.

    >>> load_hardware("dgx_a100").name, load_hardware("watos_config3").name
    ('dgx_a100', 'watos_config3')
    """
    document = read(locate(name, WAFERS, CLUSTERS, beside=beside))
    if isinstance(document.data, dict) and "network" in document.data:
        return validate(Cluster, document, overrides)
    return validate(Wafer, document, overrides)


def machine_of(hardware: Hardware, training: Training, devices: int | None = None) -> Machine:
    """Return the hardware as a machine, of `devices` of a cluster's GPUs or of a wafer's dies.

    More dies than a wafer has are those of several. Raises `InputError` if they are not all of
    them, or if nothing is known of what leaves a wafer.
    """
    if isinstance(hardware, Wafer):
        wafers = _wafers(hardware, devices or hardware.n_dies)
        return Dies(hardware, devices if wafers == 1 else None, wafers)
    return Switched(hardware, devices or hardware.devices, fp8=training.precision == "fp8")


def _wafers(wafer: Wafer, dies: int) -> int:
    """Return how many wafers have so many dies."""
    wafers, rest = divmod(dies, wafer.n_dies)
    if wafers and rest:
        text = f"expected at most the {wafer.n_dies} dies of {wafer.name}, or those of several, "
        raise InputError.of("--devices", f"{text}{2 * wafer.n_dies}, ...; got {dies}")
    if wafers > 1 and wafer.off_wafer is None:
        text = f"several wafers need off_wafer.bandwidth, which {wafer.name} does not have"
        raise InputError.of("--devices", text)
    return max(wafers, 1)


def plans_on(
    hardware: Hardware, n_devices: int, model: Model, global_batch: int, choices: Choices
) -> Plans:
    """Return every legal plan: with all of a cluster's GPUs, with at most `n_devices` dies."""
    if isinstance(hardware, Wafer):
        wafers = _wafers(hardware, n_devices)
        plans = legal_plans(model, hardware.grid, global_batch, choices, wafers)
        return plans.take(plans.devices <= n_devices)
    per_node = hardware.network.gpus_per_node
    return cluster_plans(model, per_node, n_devices, global_batch, choices)
