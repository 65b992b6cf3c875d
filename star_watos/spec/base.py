"""The base of every spec, and the two shapes that most of them use."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

T = TypeVar("T")
_KEYWORDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}


def _standard(schema: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return a JSON Schema with the standard names of bounds; they bind numbers, not text.

    >>> _standard({"anyOf": [{"type": "string"}, {"type": "number"}], "gt": 0})
    {'anyOf': [{'type': 'string'}, {'type': 'number'}], 'exclusiveMinimum': 0}
    """
    if isinstance(schema, list):
        return [_standard(item) for item in schema]
    if isinstance(schema, dict):
        return {_KEYWORDS.get(key, key): _standard(value) for key, value in schema.items()}
    return schema


class Spec(BaseModel):
    """A frozen, validated piece of a configuration; unknown keys are errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        validate_by_name=False,
        serialize_by_alias=True,
        defer_build=True,  # nested specs are built once, inside the one that is loaded
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Give bounds their names in JSON Schema, which pydantic does not where text is read."""
        whole = handler(schema)
        own = handler.resolve_ref_schema(whole)
        own["properties"] = _standard(own.get("properties", {}))
        return whole

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as plain data: classes made of `Constant[...]` have no name to pickle by."""
        return type(self).model_validate, (self.model_dump(),)


class Constant(Spec, Generic[T]):
    """A technology or device constant: a value and where it comes from."""

    # Docstrings of attributes are read from source for every parameter of a generic: 5 ms each.
    model_config = ConfigDict(use_attribute_docstrings=False, title="Constant")

    value: Annotated[T, Field(description="The quantity.")]
    source: Annotated[
        str,
        Field(min_length=8, description="Paper, table or figure, and how it got to this node."),
    ]


def json_schema(spec: type[Spec]) -> dict[str, Any]:
    """Return the JSON Schema of a spec, with its constants numbered.

    Their own names spell out the parameters of `Constant` as this version of pydantic prints them.

    >>> class Part(Spec):
    ...     area: Constant[float]
    >>> list(json_schema(Part)["$defs"])
    ['Constant_1']
    """
    schema = spec.model_json_schema()
    constants = [name for name in schema.get("$defs", {}) if name.startswith("Constant_")]
    text = json.dumps(schema)
    for number, name in enumerate(constants, start=1):
        text = text.replace(f'"{name}"', f'"Constant_{number}"')
        text = text.replace(f'/{name}"', f'/Constant_{number}"')
    numbered: dict[str, Any] = json.loads(text)
    return numbered


@dataclass(frozen=True, slots=True)
class From:
    """Marks a field, or the items of one, that may be the name of a shipped file or a path."""

    folder: str

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Allow the name beside the thing itself, so that editors accept both."""
        own = handler(schema)
        if own.get("type") == "array":
            return own | {"items": {"anyOf": [{"type": "string"}, own["items"]]}}
        return {"anyOf": [{"type": "string"}, own]}
