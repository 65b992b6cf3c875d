"""Measured tables: between entries, at the edges, and files that are none."""

import numpy as np
import pytest

from star_watos.errors import InputError
from star_watos.tables import table

AXES, VALUES = ("m", "n"), ("seconds",)
WHOLE = "m,n,seconds\n1,1,1\n1,4,4\n16,1,16\n16,4,64\n"


def read(path, text):
    path.write_text(text, encoding="utf-8")
    return table(str(path), AXES, VALUES)


def test_a_power_law_is_followed_inside_and_outside(tmp_path):
    known = read(tmp_path / "law.csv", WHOLE)
    m, n = np.array([2.0, 8.0, 32.0]), np.array([2.0, 3.0, 0.5])
    assert known.at(m, n)[0] == pytest.approx(m * n)
    assert known.outside(0, m).tolist() == [False, False, True]
    assert known.within(1, n).tolist() == [2.0, 3.0, 1.0]


def test_rows_may_come_in_any_order(tmp_path):
    head, *rows = WHOLE.splitlines()
    turned = read(tmp_path / "turned.csv", "\n".join([head, *rows[::-1]]))
    assert turned.at(16.0, 1.0)[0] == pytest.approx(16.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("m,n\n1,1\n", "none.csv:1:1  seconds: no such column"),
        (
            WHOLE.replace("64", "fast"),
            "none.csv:5:1  seconds: expected a number from 1e-15 to 1e+15, got 'fast'",
        ),
        ("m,n,seconds\n1,1,1\n1\n", "none.csv:3:1  n: expected a number from 1e-15 to 1e+15"),
        ("m,n,seconds\n1,1,0\n", "none.csv:2:1  seconds: expected a number from 1e-15 to 1e+15"),
        ("m,n,seconds\n", "has no rows"),
        ('m,n,"seconds', "none.csv:1:1  not a table of comma-separated values"),
        (WHOLE.replace("16,4,64\n", ""), "has 3 of the 4 places of its grid"),
    ],
)
def test_what_is_no_table_is_named(tmp_path, text, said):
    with pytest.raises(InputError) as caught:
        read(tmp_path / "none.csv", text)
    assert said in str(caught.value)
    assert str(tmp_path / "none.csv") in str(caught.value)


def test_a_missing_file_is_named():
    with pytest.raises(InputError, match="cannot be read: No such file"):
        table("no/such.csv", AXES, VALUES)
