"""Sessions with S3: requests have the server's time in their signature, and none waits for an unreachable server.

S3 refuses requests that are more than 15 minutes off. So that a machine whose clock is wrong reads and writes blobs as
the others do, the difference is taken from the answer that refuses a request, which is sent again.
"""

import socket
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

MAX_DIFFERENCE = timedelta(minutes=1)  # far below what a server refuses
REFUSALS = (400, 403)  # of a request with a wrong time: S3 sends 403, others 400, and a HEAD request gets no reason
TIMESTAMP = "%Y%m%dT%H%M%SZ"  # of a signature
SHIFT = "backpropd_shift"  # in the context of a request


def session() -> Any:
    """A session of aiobotocore whose clients sign with the time of their server, and do not wait to send a body."""
    from aiobotocore.session import get_session
    from botocore.auth import AUTH_TYPE_MAPS, S3SigV4Auth

    class ShiftedAuth(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
        """A signature whose time is shifted by what the session has put into the request's context."""

        def _modify_request_before_signing(self, request: Any) -> None:  # called when the time has been set
            if shift := request.context.get(SHIFT):
                signed = datetime.strptime(request.context["timestamp"], TIMESTAMP) + shift  # both in UTC
                request.context["timestamp"] = signed.strftime(TIMESTAMP)
            super()._modify_request_before_signing(request)

    AUTH_TYPE_MAPS["s3v4"] = ShiftedAuth
    clock, made = _ServerClock(), get_session()
    made.register("before-sign.s3", _send_body_at_once)
    made.register("before-sign.s3", clock.shift)
    made.register("needs-retry.s3", clock.learn)
    return made


def _send_body_at_once(request: Any, **_: Any) -> None:
    """Without `Expect: 100-continue`: the driver would wait for that answer without a timeout."""
    del request.headers["Expect"]


def socket_with_timeout(seconds: float) -> Callable[[Any], socket.socket]:
    """A factory of sockets that fail when the other side has acknowledged nothing for so long.

    The driver's own timeouts begin when a request has been sent, and the system's is a quarter of an hour.
    """

    def make(address: Any) -> socket.socket:
        family, kind, protocol = address[:3]
        made = socket.socket(family, kind, protocol)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
        return made

    return make


class _ServerClock:
    """How far the server's clock is ahead of this machine's."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def shift(self, request: Any, **_: Any) -> None:
        """Have a request signed with the server's time."""
        request.context[SHIFT] = self._ahead

    def learn(self, response: Any, attempts: int, request_dict: dict[str, Any], **_: Any) -> float | None:
        """The seconds after which a refused request is sent again, at once and one time, if its time was wrong."""
        if response is None or response[0].status_code not in REFUSALS or attempts > 1:
            return None
        date, signed = response[0].headers.get("date"), request_dict["context"].get("timestamp")
        if not date or not signed:
            return None
        difference = parsedate_to_datetime(date) - datetime.strptime(f"{signed}+0000", f"{TIMESTAMP}%z")
        if abs(difference) < MAX_DIFFERENCE:
            return None
        self._ahead = request_dict["context"].get(SHIFT, timedelta()) + difference  # others may have learned it, too
        return 0.0
