"""The messages of a Chakra execution trace, as far as collectives and iterations need them.

Names and field numbers are those of mlcommons/chakra, `schema/protobuf/et_def.proto`. What a node
must say is what ASTRA-sim's `Workload.cc` and the feeders of both projects read of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from star_watos.errors import InputError

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.message import Message

PACKAGE = "ChakraProtoMsg"
VERSION = "0.0.4"
"""Of the schema, as Chakra's own generators write it."""


class NodeType(IntEnum):
    """Values of `Node.type`."""

    COMP_NODE = 4
    COMM_SEND_NODE = 5
    COMM_RECV_NODE = 6
    COMM_COLL_NODE = 7


class CommType(IntEnum):
    """Values of the attribute `comm_type`."""

    ALL_REDUCE = 0
    ALL_GATHER = 2
    REDUCE_SCATTER = 7


class Field(NamedTuple):
    """A field of a message: its number, its type, and whether there may be many."""

    number: int
    type: str
    many: bool = False


SCHEMA = {
    "AttributeProto": {
        "name": Field(1, "string"),
        "double_val": Field(3, "double"),
        "int32_val": Field(7, "int32"),
        "int64_val": Field(9, "int64"),
        "uint64_val": Field(13, "uint64"),
        "bool_val": Field(27, "bool"),
        "string_val": Field(29, "string"),
    },
    "GlobalMetadata": {"version": Field(1, "string")},
    "Node": {
        "id": Field(1, "uint64"),
        "name": Field(2, "string"),
        "type": Field(3, "int32"),  # an enum, which travels as an int32
        "data_deps": Field(5, "uint64", many=True),
        "duration_micros": Field(7, "uint64"),
        "attr": Field(10, "AttributeProto", many=True),
    },
}

ATTRIBUTES = {
    "num_ops": "int64_val",
    "tensor_size": "uint64_val",
    "duration_s": "double_val",
    "comm_type": "int64_val",
    "pg_name": "string_val",
    "comm_size": "int64_val",
    "comm_src": "int32_val",
    "comm_dst": "int32_val",
    "comm_tag": "int32_val",
    "is_cpu_op": "bool_val",
}
"""Field of `AttributeProto` in which each attribute is; `duration_s` is ours, read by no feeder."""


class Messages(NamedTuple):
    """Classes of the messages."""

    metadata: "type[Message]"
    node: "type[Message]"


@cache
def messages() -> Messages:
    """Return the classes; `InputError` where protobuf is not installed."""
    try:
        from google.protobuf import descriptor_pool, message_factory  # noqa: PLC0415 (an extra)
    except ImportError:
        text = "needs protobuf: pip install 'star-watos[chakra]'"
        raise InputError.of("--chakra", text) from None
    pool = descriptor_pool.DescriptorPool()  # its own: another package may know the same names
    pool.AddSerializedFile(_file().SerializeToString())
    found = (pool.FindMessageTypeByName(f"{PACKAGE}.{name}") for name in ("GlobalMetadata", "Node"))
    return Messages(*map(message_factory.GetMessageClass, found))


def _file() -> "FileDescriptorProto":
    """Return `SCHEMA` as protobuf describes it."""
    from google.protobuf import descriptor_pb2  # noqa: PLC0415 (an extra)

    file = descriptor_pb2.FileDescriptorProto(name="et_def.proto", package=PACKAGE, syntax="proto3")
    for name, fields in SCHEMA.items():
        message = file.message_type.add(name=name)
        if name == "AttributeProto":
            message.oneof_decl.add(name="value")
        for field, about in fields.items():
            message.field.add(name=field, **_description(field, about))
    return file


def _description(name: str, field: Field) -> dict[str, Any]:
    """Return what protobuf wants to know of a field.

    >>> _description("id", Field(1, "uint64"))["type"]
    4
    """
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Proto  # noqa: PLC0415 (same)

    label = Proto.LABEL_REPEATED if field.many else Proto.LABEL_OPTIONAL
    about: dict[str, Any] = {"number": field.number, "label": label}
    if field.type in SCHEMA:
        return about | {"type": Proto.TYPE_MESSAGE, "type_name": f".{PACKAGE}.{field.type}"}
    if name.endswith("_val"):
        about["oneof_index"] = 0  # so that a 0 or false is written, not left out
    return about | {"type": Proto.Type.Value(f"TYPE_{field.type.upper()}")}


def metadata() -> bytes:
    """Return what a trace begins with."""
    return delimited(messages().metadata(version=VERSION))


def encoded(
    number: int,
    name: str,
    kind: NodeType,
    before: Sequence[int],
    values: Mapping[str, float | str],
    micros: int = 0,
) -> bytes:
    """Return a node of a trace, which does not run on the host."""
    attributes = [{"name": key, ATTRIBUTES[key]: value} for key, value in values.items()]
    node = messages().node(
        id=number,
        name=name,
        type=kind,
        data_deps=before,
        duration_micros=micros,
        attr=[*attributes, {"name": "is_cpu_op", ATTRIBUTES["is_cpu_op"]: False}],
    )
    return delimited(node)


def delimited(message: "Message") -> bytes:
    """Return a message behind its length.

    >>> delimited(messages().metadata(version="0.0.4")).hex(" ")
    '07 0a 05 30 2e 30 2e 34'
    """
    data = message.SerializeToString()
    return bytes(_varint(len(data))) + data


def _varint(number: int) -> Iterator[int]:
    """Yield seven bits a byte, lowest first; all bytes but the last have the top bit set.

    >>> bytes(_varint(300)).hex(" ")
    'ac 02'
    """
    while number > 0x7F:
        yield number & 0x7F | 0x80
        number >>= 7
    yield number
