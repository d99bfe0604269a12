"""Records as OpenTelemetry logs: OTLP in its JSON encoding, one `LogsData` a line (OTLP File Exporter).

Written by ourselves, because a record is a dozen attributes and the SDK would be four packages: integers of 64 bits are
texts, an enumeration is its number (OTLP, JSON Protobuf Encoding). A collector takes such a file by its
`otlpjsonfile` receiver, or a line as the body of `POST /v1/logs`.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from gateway import __version__

_INFO, _WARN, _ERROR = (9, "INFO"), (13, "WARN"), (17, "ERROR")
_RESOURCE: Final = {"attributes": [{"key": "service.name", "value": {"stringValue": "keyid-gateway"}}]}
_SCOPE: Final = {"name": "keyid-gateway.audit", "version": __version__}
_ELSEWHERE: Final = frozenset({"at", "time", "message", "kind"})
"""What of a record is a field of its own, and no attribute."""


def line(data: Mapping[str, object]) -> Mapping[str, object]:
    """One record, as `audit export` has it, as `LogsData`."""
    moment = data["at"]
    assert isinstance(moment, float)  # noqa: S101 - seconds since the epoch, as every record has them
    number, text = _severity(data)
    log = {
        "timeUnixNano": str(round(moment * 1_000_000) * 1000),
        "severityNumber": number,
        "severityText": text,
        "eventName": f"keyid_gateway.audit.{data['kind']}",
        "body": {"stringValue": str(data["message"] or data["kind"])},
        "attributes": list(_attributes(data)),
    }
    return {"resourceLogs": [{"resource": _RESOURCE, "scopeLogs": [{"scope": _SCOPE, "logRecords": [log]}]}]}


def _severity(data: Mapping[str, object]) -> tuple[int, str]:
    """A refusal is a warning, and so is what would have been one; what went wrong at the server is an error."""
    if data["kind"] == "settled":
        return _INFO if data["outcome"] in ("ok", "input required", "cancelled") else _ERROR
    return _INFO if data["effect"] == "allow" else _WARN


def _attributes(data: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    for name, value in data.items():
        if name not in _ELSEWHERE and value not in (None, "", (), []):
            yield {"key": f"keyid_gateway.{name}", "value": _value(value)}


def _value(value: object) -> Mapping[str, object]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list() | tuple():
            return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"stringValue": str(value)}
