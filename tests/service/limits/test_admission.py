"""Admission: whose slots a request takes, and which requests work."""

import asyncio
from concurrent.futures import Future
from threading import Thread

import pytest

from backpropd import errors
from service.limits.admission import STRANGER, Admission, Ticket, digest_of
from service.limits.concurrency_limit import ConcurrencyLimit, Holder
from service.limits.fair_slots import FairSlots

US, THEM = Holder("us", "key_1"), Holder("them", "key_2")
SECONDS = 10
Loop = asyncio.AbstractEventLoop


@pytest.fixture
def admission() -> Admission:
    """At most two requests of a key, three of a tenant and four in all; one of each tenant works, and two in all."""
    return Admission(
        ConcurrencyLimit("requests", 4, 3, 2), FairSlots("requests", 2, 1, 4), ConcurrencyLimit("probes", 9, 9, 1)
    )


def entering(loop: Loop, admission: Admission, authorization: str, *, is_probe: bool = False) -> Future[Ticket]:
    return asyncio.run_coroutine_threadsafe(admission.enter(digest_of(authorization.encode()), is_probe=is_probe), loop)


def enter(loop: Loop, admission: Admission, authorization: str, *, is_probe: bool = False) -> Ticket:
    return entering(loop, admission, authorization, is_probe=is_probe).result(SECONDS)


def enter_idle(loop: Loop, admission: Admission, authorization: str) -> Ticket:
    """A ticket of a request that does not work any more, as one whose answer is being sent."""
    ticket = enter(loop, admission, authorization)
    ticket.stop_working()
    return ticket


def met(loop: Loop, admission: Admission) -> None:
    """Let the admission know both keys."""
    for authorization, holder in (("a", US), ("b", THEM)):
        ticket = enter(loop, admission, authorization)
        ticket.identify(holder)
        ticket.leave()


def test_a_key_that_floods_does_not_take_the_slots_of_others(loop: Loop, admission: Admission) -> None:
    met(loop, admission)
    ours = [enter_idle(loop, admission, "a") for _ in range(2)]
    with pytest.raises(errors.TooManyAtOnce, match="a key may have 2 requests at a time"):
        enter(loop, admission, "a")
    enter(loop, admission, "b").leave()
    ours[0].leave()
    enter(loop, admission, "a").leave()


def test_a_tenant_with_many_keys_has_a_limit_of_its_own(loop: Loop, admission: Admission) -> None:
    for number in range(3):
        enter_idle(loop, admission, f"key {number}").identify(Holder("us", f"key_{number}"))
    another = enter_idle(loop, admission, "key 4")
    with pytest.raises(errors.TooManyAtOnce, match="a tenant may have 3 requests at a time"):
        another.identify(Holder("us", "key_4"))
    another.leave()
    enter_idle(loop, admission, "b").identify(THEM)
    with pytest.raises(errors.Unavailable, match="the service allows 4 requests at a time"):
        enter(loop, admission, "b")


def test_a_tenants_requests_work_one_after_the_other_and_others_beside_them(loop: Loop, admission: Admission) -> None:
    met(loop, admission)
    first, second = enter(loop, admission, "a"), entering(loop, admission, "a")
    enter(loop, admission, "b").leave()
    assert not second.done()
    first.stop_working()
    second.result(SECONDS).leave()
    first.leave()


def test_a_request_that_waits_lets_others_work_and_takes_its_turn_again(loop: Loop, admission: Admission) -> None:
    met(loop, admission)
    waiting = enter(loop, admission, "a")
    with waiting.waiting():
        working = entering(loop, admission, "a")
        leaving = Thread(target=working.result(SECONDS).leave)
        leaving.start()
    leaving.join()
    queued = entering(loop, admission, "a")
    waiting.leave()
    queued.result(SECONDS).leave()


@pytest.mark.parametrize("is_granted", [True, False])
def test_a_request_that_is_cancelled_while_it_waits_for_its_turn_keeps_no_slot(
    loop: Loop, admission: Admission, is_granted: bool
) -> None:
    met(loop, admission)
    working = enter(loop, admission, "a")

    async def cancel_one() -> None:
        entering = asyncio.create_task(admission.enter(digest_of(b"a")))
        await asyncio.sleep(0)  # it has asked for its turn
        if is_granted:
            working.leave()  # and the event loop has not told it yet
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering

    asyncio.run_coroutine_threadsafe(cancel_one(), loop).result(SECONDS)
    if not is_granted:
        working.leave()
    enter(loop, admission, "a").leave()


def test_requests_without_a_valid_key_share_one_lot(loop: Loop, admission: Admission) -> None:
    met(loop, admission)
    revoked = enter_idle(loop, admission, "a")
    revoked.identify(STRANGER)
    enter_idle(loop, admission, "nonsense")
    with pytest.raises(errors.TooManyAtOnce):
        enter_idle(loop, admission, "a")
    enter(loop, admission, "b").leave()


def test_a_probe_takes_no_slot_of_requests(loop: Loop, admission: Admission) -> None:
    met(loop, admission)
    for _ in range(2):
        enter_idle(loop, admission, "a")
    probe = enter(loop, admission, "a", is_probe=True)
    with pytest.raises(errors.TooManyAtOnce, match="a key may have 1 probes at a time"):
        enter(loop, admission, "a", is_probe=True)
    probe.leave()
    enter(loop, admission, "a", is_probe=True).leave()
