"""The environ of a request (PEP 3333), and whether another server would read the request differently."""

import re
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from backpropd import errors
from service.server.request_body import Message

BEGAN = "backpropd.began"  # key of the environ: when the request came, by `time.perf_counter`
HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.~!$&'()*+;=%-]*)(:\d*)?", re.ASCII)  # RFC 3986, 3.2, without commas


def environ_of(scope: Message, began: float) -> dict[str, Any]:
    """The environ of a request (PEP 3333) that came at `began`, without its body."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": _path(scope["raw_path"]),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": str(scope["server"][1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.input_terminated": True,  # tells Werkzeug that the input ends with the body
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        BEGAN: began,
    }
    for header, raw in scope["headers"]:
        name, value = header.decode("latin-1"), raw.decode("latin-1")
        if "_" in name:  # in an environ it would be taken for the header with a hyphen
            continue
        if name == "upgrade":  # no other protocol is spoken, so it is ignored (RFC 9110, 7.8)
            continue
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def authorization_of(scope: Message) -> bytes:
    """The header Authorization, before anything else of the request is looked at."""
    return b",".join(value for name, value in scope["headers"] if name == b"authorization")


def ambiguity(environ: Mapping[str, Any]) -> errors.Ambiguous | None:
    """What a proxy may read differently, of that which granian accepts (RFC 9112, 3.2 and 6.1)."""
    if environ.get("HTTP_TRANSFER_ENCODING", "chunked").lower() != "chunked":
        return errors.Ambiguous("Transfer-Encoding must be chunked, once: send the body so, or with a Content-Length")
    host = environ.get("HTTP_HOST", "")  # granian adds an empty one where there is none
    if not HOST.fullmatch(host) or (not host and environ["SERVER_PROTOCOL"] == "HTTP/1.1"):
        return errors.Ambiguous("a request has one Host: send the header once, with a host name and perhaps a port")
    return None


def _path(raw: bytes) -> str:
    """The decoded path. A second leading slash, which the app would ignore, stays encoded, and matches no route."""
    path = unquote_to_bytes(raw).decode("latin-1")
    return f"/%2F{path[2:]}" if path.startswith("//") else path
