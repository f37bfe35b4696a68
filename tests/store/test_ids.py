"""Ids of resources."""

from __future__ import annotations

import time

from backpropd.store.ids import new_id


def test_ids_sort_by_their_creation() -> None:
    ids = []
    for _ in range(5):
        ids.append(new_id("job"))
        time.sleep(0.002)
    assert ids == sorted(ids)
    assert len({len(each) for each in ids}) == 1
