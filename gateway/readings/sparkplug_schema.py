"""The protobuf messages of Sparkplug B, from the field table of the specification (3.0, 6.4.1).

In: nothing. Out: the class of payloads, built when this is imported: no compiler, and no file that
nobody wrote. It knows names, numbers and types; what they mean is told in docs/devices/sparkplug.md
and read in `sparkplug_payload`.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol, cast

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

# A line a message: type, name, number; * repeated, ? one of the message's values.
_TABLE: Final = """
Payload: uint64 timestamp 1, Metric* metrics 2, uint64 seq 3, string uuid 4, bytes body 5
Metric: string name 1, uint64 alias 2, uint64 timestamp 3, uint32 datatype 4
Metric: bool is_historical 5, bool is_transient 6, bool is_null 7
Metric: MetaData metadata 8, PropertySet properties 9
Metric: uint32? int_value 10, uint64? long_value 11, float? float_value 12, double? double_value 13
Metric: bool? boolean_value 14, string? string_value 15, bytes? bytes_value 16
Metric: DataSet? dataset_value 17, Template? template_value 18
MetaData: bool is_multi_part 1, string content_type 2, uint64 size 3, uint64 seq 4
MetaData: string file_name 5, string file_type 6, string md5 7, string description 8
PropertySet: string* keys 1, PropertyValue* values 2
PropertySetList: PropertySet* propertyset 1
PropertyValue: uint32 type 1, bool is_null 2, uint32? int_value 3, uint64? long_value 4
PropertyValue: float? float_value 5, double? double_value 6, bool? boolean_value 7
PropertyValue: string? string_value 8
PropertyValue: PropertySet? propertyset_value 9, PropertySetList? propertysets_value 10
DataSet: uint64 num_of_columns 1, string* columns 2, uint32* types 3, Row* rows 4
Row: Cell* elements 1
Cell: uint32? int_value 1, uint64? long_value 2, float? float_value 3, double? double_value 4
Cell: bool? boolean_value 5, string? string_value 6
Template: string version 1, Metric* metrics 2, Parameter* parameters 3
Template: string template_ref 4, bool is_definition 5
Parameter: string name 1, uint32 type 2, uint32? int_value 3, uint64? long_value 4
Parameter: float? float_value 5, double? double_value 6, bool? boolean_value 7
Parameter: string? string_value 8
"""
_PACKAGE: Final = "hulian.sparkplug"
_SCALARS: Final = {
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
    "float": FieldDescriptorProto.TYPE_FLOAT,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}


class Encoded(Protocol):
    """What every message can do. Fields that are not there read as zero or empty."""

    def HasField(self, name: str) -> bool:
        """Say whether a field is there."""

    def WhichOneof(self, name: str) -> str | None:
        """Name the value that is there, None for none of them."""


class Property(Encoded, Protocol):
    """The value of one property."""

    type: int
    is_null: bool
    int_value: int
    string_value: str


class Properties(Encoded, Protocol):
    """Properties by name, in two lists."""

    keys: Sequence[str]
    values: Sequence[Property]


class Parameter(Encoded, Protocol):
    """A parameter of a template."""

    name: str
    type: int


class Row(Encoded, Protocol):
    """A row of a data set; its cells are values."""

    elements: Sequence[Encoded]


class Matrix(Encoded, Protocol):
    """A data set: columns of a type each, and rows."""

    columns: Sequence[str]
    types: Sequence[int]
    rows: Sequence[Row]


class EncodedMetric(Encoded, Protocol):
    """One metric; its value is under the field that `WhichOneof("value")` names."""

    name: str
    alias: int
    timestamp: int
    datatype: int
    is_historical: bool
    is_transient: bool
    is_null: bool
    properties: Properties


class Template(Encoded, Protocol):
    """A template's definition or instance."""

    version: str
    metrics: Sequence[EncodedMetric]
    parameters: Sequence[Parameter]
    template_ref: str
    is_definition: bool


class EncodedPayload(Encoded, Protocol):
    """A whole payload."""

    timestamp: int
    seq: int
    metrics: Sequence[EncodedMetric]

    def ParseFromString(self, said: bytes) -> int:
        """Read; raise DecodeError."""

    def SerializeToString(self, *, deterministic: bool = False) -> bytes:
        """Write."""


def _file() -> FileDescriptorProto:
    """Make the table a description that protobuf takes; proto3, because it refuses bad UTF-8."""
    file = FileDescriptorProto(name="hulian/sparkplug.proto", package=_PACKAGE, syntax="proto3")
    messages: dict[str, DescriptorProto] = {}
    for line in _TABLE.strip().splitlines():
        name, _, fields = line.partition(": ")
        if name not in messages:
            messages[name] = file.message_type.add(name=name)
        for field in fields.split(", "):
            _add(messages[name], *field.split())
    for message in messages.values():
        _let_be_absent(message)
    return file


def _add(message: DescriptorProto, kind: str, name: str, number: str) -> None:
    field = message.field.add(name=name, number=int(number))
    plain = kind.rstrip("*?")
    field.type = _SCALARS.get(plain, FieldDescriptorProto.TYPE_MESSAGE)
    if plain not in _SCALARS:
        field.type_name = f".{_PACKAGE}.{plain}"
    field.label = FieldDescriptorProto.LABEL_OPTIONAL
    if kind.endswith("*"):
        field.label = FieldDescriptorProto.LABEL_REPEATED
    elif kind.endswith("?"):
        if not message.oneof_decl:
            message.oneof_decl.add(name="value")
        field.oneof_index = 0


def _let_be_absent(message: DescriptorProto) -> None:
    """Tell a field that is not there from one that is zero; in proto3 a choice of one does it."""
    for field in message.field:
        single = field.label == FieldDescriptorProto.LABEL_OPTIONAL
        if single and field.type in _SCALARS.values() and not field.HasField("oneof_index"):
            field.oneof_index, field.proto3_optional = len(message.oneof_decl), True
            message.oneof_decl.add(name=f"_{field.name}")


def _payload() -> Callable[..., EncodedPayload]:
    pool = DescriptorPool()
    pool.Add(_file())
    found = GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))
    return cast(Callable[..., EncodedPayload], found)


# Makes an empty payload, or one of the fields given by name, messages within as dicts.
new_payload: Final = _payload()
