"""Hardware of two kinds by one name: a wafer's template or a cluster's."""

from collections.abc import Sequence
from typing import TypeAlias

from star_watos.errors import InputError
from star_watos.spec import load, locate, read
from star_watos.watos.cluster import Cluster
from star_watos.watos.machine import Machine
from star_watos.watos.mesh import Mesh
from star_watos.watos.switched import Switched
from star_watos.watos.training import Training
from star_watos.watos.wafer import Wafer

Hardware: TypeAlias = Wafer | Cluster
WAFERS, CLUSTERS = "configs/wafers", "configs/clusters"


def load_hardware(name: str, overrides: Sequence[str] = ()) -> Hardware:
    """Return the wafer or cluster that `name` means: a shipped name, or the path of a template.

    A file with a `network` is a cluster's. Raises `InputError`.

    >>> load_hardware("dgx_a100").name, load_hardware("watos_config3").name
    ('dgx_a100', 'watos_config3')
    """
    path = locate(name, WAFERS, CLUSTERS)
    data = read(path).data
    if isinstance(data, dict) and "network" in data:
        return load(Cluster, str(path), CLUSTERS, overrides)
    return load(Wafer, str(path), WAFERS, overrides)


def machine_of(hardware: Hardware, training: Training, devices: int | None = None) -> Machine:
    """Return the hardware as a machine, of `devices` of a cluster's GPUs or of a wafer's dies.

    Raises `InputError` if the wafer has fewer.
    """
    if isinstance(hardware, Wafer):
        if devices and devices > hardware.n_dies:
            text = f"expected at most the {hardware.n_dies} dies of {hardware.name}, got {devices}"
            raise InputError.of("--devices", text)
        return Mesh(hardware, devices)
    return Switched(hardware, devices or hardware.devices, fp8=training.precision == "fp8")
