"""Frozen, validated specs from YAML, with the place of every mistake."""

from star_watos.errors import InputError, Mark, Problem
from star_watos.spec.base import Constant, From, Spec, json_schema
from star_watos.spec.document import Document, KeyPath, parse, read, scalar
from star_watos.spec.load import amend, load, validate
from star_watos.spec.shipped import is_file, locate, names, root
from star_watos.spec.text import MAX_TABLE_BYTES, read_rows, read_text

__all__ = [
    "MAX_TABLE_BYTES",
    "Constant",
    "Document",
    "From",
    "InputError",
    "KeyPath",
    "Mark",
    "Problem",
    "Spec",
    "amend",
    "is_file",
    "json_schema",
    "load",
    "locate",
    "names",
    "parse",
    "read",
    "read_rows",
    "read_text",
    "root",
    "scalar",
    "validate",
]
