"""The units of metrics, by the ends of their names."""

UNIT_BY_END = {
    "tokens_per_s": "token/s",
    "requests_per_s": "request/s",
    "flops_per_s_per_die": "FLOP/s",
    "_gops_per_w": "GOP/s/W",
    "_gops_per_mm2": "GOP/s/mm2",
    "_gops": "GOP/s",
    "_bytes": "B",
    "_mm2": "mm2",
    "_usd": "USD",
    "_s": "s",
    "_w": "W",
    "_j": "J",
}
"""Ends of the names of metrics, the first that fits counts -> unit."""


def unit_of(metric: str) -> str:
    """Return the unit of a metric by its name.

    >>> unit_of("latency_s"), unit_of("tokens_per_s"), unit_of("mfu")
    ('s', 'token/s', '')
    """
    return next((unit for end, unit in UNIT_BY_END.items() if metric.endswith(end)), "")
