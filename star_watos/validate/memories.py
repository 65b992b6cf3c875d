"""The SRAM table against macros from elsewhere."""

from dataclasses import replace

from star_watos.technology.sram import sram_bank, sram_range_note
from star_watos.validate.published import Comparison, compare

_NODE_NM = 28.0
_WORD_BITS = 512
_SMALL = {"8 KB": 8192.0, "4 KB": 4096.0}


def sram_comparisons() -> list[Comparison]:
    """Return macros that others made or modelled at 28 nm beside the table's."""
    ours = {f"{name}, 512 bits, {k}": v for name in _SMALL for k, v in _figures(name).items()}
    del ours["4 KB, 512 bits, leakage"]  # not published
    ours["5 MB, area"] = float(5 * sram_bank(2.0**20, _WORD_BITS, _NODE_NM).area_mm2)
    return [replace(row, note=_note(row.item)) for row in compare({"sram": ours})]


def _figures(name: str) -> dict[str, float]:
    """Return mm2, pJ/bit, pJ/bit and mW of the table's bank."""
    bank = sram_bank(_SMALL[name], _WORD_BITS, _NODE_NM)
    return {
        "area": float(bank.area_mm2),
        "read": float(bank.read_j) * 1e12 / _WORD_BITS,
        "write": float(bank.write_j) * 1e12 / _WORD_BITS,
        "leakage": float(bank.leakage_w) * 1e3,
    }


def _note(item: str) -> str:
    size = item.partition(",")[0]
    beyond = sram_range_note(_SMALL[size], _WORD_BITS, _NODE_NM) if size in _SMALL else None
    return f"SRAM outside the CACTI table: {size}: {beyond}" if beyond else ""
