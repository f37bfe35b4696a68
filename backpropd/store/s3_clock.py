"""Requests to S3 with the server's time in their signature: it refuses those that are more than 15 minutes off.

So a machine whose clock is wrong reads and writes blobs as the others do. The difference is taken from the answer that
refuses a request, which is sent again.
"""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

MAX_DIFFERENCE = timedelta(minutes=1)  # far below what a server refuses
REFUSALS = (400, 403)  # of a request with a wrong time: S3 sends 403, others 400, and a HEAD request gets no reason
TIMESTAMP = "%Y%m%dT%H%M%SZ"  # of a signature
SHIFT = "backpropd_shift"  # in the context of a request


def session() -> Any:
    """A session of aiobotocore whose clients sign with the time of their server."""
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
    made.register("before-sign.s3", clock.shift)
    made.register("needs-retry.s3", clock.learn)
    return made


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
