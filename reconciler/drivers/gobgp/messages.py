"""The part of GoBGP 3's gRPC API that is used here, as a table, and the protobuf classes built from it.

Names and numbers are those that the server speaks (package `apipb`, service `GobgpApi`); fields that are
not listed are skipped when a message is read. Enumerations are plain numbers, which is the same on the wire.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

PACKAGE: Final = "apipb"
SERVICE: Final = "apipb.GobgpApi"
SERVICE_OF_4: Final = "api.GoBgpService"
"""What GoBGP 4 calls it, with other messages."""
_URL: Final = f"type.googleapis.com/{PACKAGE}."

AFI_IP: Final = 1
AFI_IP6: Final = 2
UNICAST: Final = 1
SR_POLICY: Final = 73

_FIELDS: Final[dict[str, str]] = {
    "Any": "type_url:1:string value:2:bytes",
    "Empty": "",
    "Family": "afi:1:int32 safi:2:int32",
    "Path": "nlri:1:Any pattrs:2:*Any is_withdraw:5:bool family:9:Family source_id:11:string "
    "neighbor_ip:15:string",
    "Destination": "prefix:1:string paths:2:*Path",
    "Global": "asn:1:uint32 router_id:2:string",
    "GetBgpRequest": "",
    "GetBgpResponse": "global:1:Global",
    "AddPathRequest": "table_type:1:int32 vrf_id:2:string path:3:Path",
    "AddPathResponse": "uuid:1:bytes",
    "DeletePathRequest": "table_type:1:int32 vrf_id:2:string family:3:Family path:4:Path",
    "ListPathRequest": "table_type:1:int32 name:2:string family:3:Family",
    "ListPathResponse": "destination:1:Destination",
    "Filter": "type:1:int32 init:2:bool",
    "WatchTable": "filters:1:*Filter",
    "WatchEventRequest": "table:2:WatchTable",
    "TableEvent": "paths:2:*Path",
    "WatchEventResponse": "table:3:TableEvent",
    "SRPolicyNLRI": "length:1:uint32 distinguisher:2:uint32 color:3:uint32 endpoint:4:bytes",
    "IPAddressPrefix": "prefix_len:1:uint32 prefix:2:string",
    "OriginAttribute": "origin:1:uint32",
    "NextHopAttribute": "next_hop:1:string",
    "CommunitiesAttribute": "communities:1:*uint32",
    "ExtendedCommunitiesAttribute": "communities:1:*Any",
    "IPv4AddressSpecificExtended": "is_transitive:1:bool sub_type:2:uint32 address:3:string "
    "local_admin:4:uint32",
    "MpReachNLRIAttribute": "family:1:Family next_hops:2:*string",
    "TunnelEncapAttribute": "tlvs:1:*TunnelEncapTLV",
    "TunnelEncapTLV": "type:1:uint32 tlvs:2:*Any",
    "TunnelEncapSubTLVSRPreference": "flags:1:uint32 preference:2:uint32",
    "TunnelEncapSubTLVSRPriority": "priority:1:uint32",
    "TunnelEncapSubTLVSRBindingSID": "bsid:1:Any",
    "SRBindingSID": "s_flag:1:bool i_flag:2:bool sid:3:bytes",
    "TunnelEncapSubTLVSRSegmentList": "weight:1:SRWeight segments:2:*Any",
    "SRWeight": "flags:1:uint32 weight:2:uint32",
    "SegmentFlags": "v_flag:1:bool a_flag:2:bool s_flag:3:bool b_flag:4:bool",
    "SegmentTypeB": "flags:1:SegmentFlags sid:2:bytes endpoint_behavior_structure:3:SRv6EndPointBehavior",
    "SRv6EndPointBehavior": "behavior:1:int32 block_len:2:uint32 node_len:3:uint32 func_len:4:uint32 "
    "arg_len:5:uint32",
}
"""Messages: name:number:type of each field; * is repeated."""


@cache
def _classes() -> dict[str, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    plain = {
        "bool": kinds.TYPE_BOOL,
        "bytes": kinds.TYPE_BYTES,
        "int32": kinds.TYPE_INT32,
        "string": kinds.TYPE_STRING,
        "uint32": kinds.TYPE_UINT32,
    }
    file = descriptor_pb2.FileDescriptorProto(name="gobgp.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for entry in fields.split():
            field, number, kind = entry.split(":")
            several, kind = kind.startswith("*"), kind.removeprefix("*")
            message.field.add(
                name=field,
                number=int(number),
                label=kinds.LABEL_REPEATED if several else kinds.LABEL_OPTIONAL,
                type=plain.get(kind, kinds.TYPE_MESSAGE),
                type_name=None if kind in plain else f".{PACKAGE}.{kind}",
            )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in _FIELDS
    }


def new(name: str, **fields: Any) -> Any:
    """Return a message of the API."""
    return _classes()[name](**fields)


def read(name: str, data: bytes) -> Any:
    """Return the message that was packed; google.protobuf.message.DecodeError where it is none."""
    return _classes()[name].FromString(data)


def packed(name: str, **fields: Any) -> Any:
    """Return a message inside an Any."""
    return new("Any", type_url=_URL + name, value=new(name, **fields).SerializeToString())


def unpacked(box: Any) -> tuple[str, Any]:
    """Return the name of what is inside an Any, and the message; None for what is not used here."""
    name = box.type_url.rpartition(".")[2]
    known = box.type_url == _URL + name and name in _FIELDS
    return name, read(name, box.value) if known else None
