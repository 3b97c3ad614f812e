"""libvirt's own schema as a judge of domain XML, through the libxml2 that libvirt itself uses."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from pathlib import Path

import pytest

__all__ = ["faults", "needs_schema"]

SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")

_REPORT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


class _Error(ctypes.Structure):
    """The first fields of libxml2's xmlError (libxml/xmlerror.h)."""

    _fields_ = (
        ("domain", ctypes.c_int),
        ("code", ctypes.c_int),
        ("message", ctypes.c_char_p),
        ("level", ctypes.c_int),
        ("file", ctypes.c_char_p),
        ("line", ctypes.c_int),
    )


def _library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL("libxml2.so.2")
    except OSError:
        return None


LIBRARY = _library()

needs_schema = pytest.mark.skipif(
    LIBRARY is None or not SCHEMA.exists(),
    reason="needs libxml2 and libvirt's schemas: apt install libxml2 libvirt-clients",
)


@functools.cache
def _judge() -> Callable[[str], list[str]]:
    assert LIBRARY is not None
    xml = LIBRARY
    pointer = ctypes.c_void_p
    signatures: dict[str, tuple[object, list[object]]] = {
        "xmlRelaxNGNewParserCtxt": (pointer, [ctypes.c_char_p]),
        "xmlRelaxNGParse": (pointer, [pointer]),
        "xmlRelaxNGNewValidCtxt": (pointer, [pointer]),
        "xmlRelaxNGSetValidStructuredErrors": (None, [pointer, _REPORT, pointer]),
        "xmlRelaxNGValidateDoc": (ctypes.c_int, [pointer, pointer]),
        "xmlRelaxNGFreeValidCtxt": (None, [pointer]),
        "xmlSetStructuredErrorFunc": (None, [pointer, _REPORT]),
        "xmlReadMemory": (
            pointer,
            [ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int],
        ),
        "xmlFreeDoc": (None, [pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(xml, name)
        function.restype, function.argtypes = result, arguments
    found: list[str] = []

    @_REPORT
    def report(_: object, error: int) -> None:
        fault = ctypes.cast(error, ctypes.POINTER(_Error)).contents
        found.append(f"line {fault.line}: {(fault.message or b'').decode().strip()}")

    schema = xml.xmlRelaxNGParse(xml.xmlRelaxNGNewParserCtxt(str(SCHEMA).encode()))
    assert schema, f"{SCHEMA} cannot be read"

    def judge(text: str, _kept: object = report) -> list[str]:
        found.clear()
        data = text.encode()
        xml.xmlSetStructuredErrorFunc(None, report)
        document = xml.xmlReadMemory(data, len(data), b"domain.xml", None, 0)
        if document:
            context = xml.xmlRelaxNGNewValidCtxt(schema)
            xml.xmlRelaxNGSetValidStructuredErrors(context, report, None)
            wrong = xml.xmlRelaxNGValidateDoc(context, document)
            xml.xmlRelaxNGFreeValidCtxt(context)
            xml.xmlFreeDoc(document)
            if wrong and not found:
                found.append("not valid")
        return list(found)

    return judge


def faults(text: str) -> list[str]:
    """Return what libvirt's schema has against a domain XML; nothing if it is valid."""
    return _judge()(text)
