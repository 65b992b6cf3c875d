"""Frozen, validated specs from YAML, with the place of every mistake."""

from star_watos.errors import InputError, Mark, Problem
from star_watos.spec.base import Constant, From, Spec, json_schema
from star_watos.spec.document import Document, KeyPath, parse, read, scalar
from star_watos.spec.load import amend, load, validate
from star_watos.spec.shipped import is_file, locate, names, root

__all__ = [
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
    "root",
    "scalar",
    "validate",
]
