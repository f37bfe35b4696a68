"""Slots that tenants take in turns."""

import pytest

from backpropd import errors
from service.limits.fair_slots import FairSlots


def test_tenants_take_turns_whoever_asked_for_more() -> None:
    slots, order = FairSlots("tables", 1, 1, 10), list[str]()
    for number, tenant in enumerate(["us", "us", "us", "them", "others", "them"]):
        name = f"{tenant} {number}"
        slots.request(tenant).add_done_callback(lambda _, name=name: order.append(name))
    while len(order) < 6:
        slots.release(order[-1].split()[0])
    assert order == ["us 0", "us 1", "them 3", "others 4", "us 2", "them 5"]


def test_one_tenant_leaves_slots_for_others() -> None:
    slots = FairSlots("tables", 3, 2, 10)
    assert [slots.request("us").done() for _ in range(4)] == [True, True, False, False]
    assert slots.request("them").done()
    assert not slots.request("them").done()


def test_only_so_many_requests_of_a_tenant_wait() -> None:
    slots = FairSlots("tables", 1, 1, 2)
    waiting = [slots.request("us") for _ in range(3)]
    with pytest.raises(errors.TooManyAtOnce, match="2 tables of yours are waiting"):
        slots.request("us")
    theirs = slots.request("them")
    slots.release("us")
    slots.request("us")
    assert [each.done() for each in (*waiting, theirs)] == [True, True, False, False]
    slots.release("us")
    assert theirs.done()


def test_a_request_that_gave_up_is_passed_over() -> None:
    slots = FairSlots("tables", 1, 1, 2)
    slots.request("us")
    gone, next_one = slots.request("us"), slots.request("us")
    gone.cancel()
    slots.release("us")
    assert next_one.done()


def test_a_slot_is_given_back_after_an_error() -> None:
    slots = FairSlots("tables", 1, 1, 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), slots.slot("us"):
            raise ZeroDivisionError
