"""The media type of an answer, as the request's `Accept` prefers it."""

from collections.abc import Sequence

from flask import request

from backpropd import errors


def accepted(media_types: Sequence[str]) -> str:
    """One of the media types, the first if the request does not say; parameters, as a charset, need not be named.

    Raises `errors.NotAcceptable`.
    """
    if not request.accept_mimetypes:
        return media_types[0]
    offered = {name: each for each in media_types for name in (each.partition(";")[0], each)}
    if found := request.accept_mimetypes.best_match(list(offered)):
        return offered[found]
    raise errors.NotAcceptable(f"there is no answer in {request.accept_mimetypes}: accept {', '.join(media_types)}")
