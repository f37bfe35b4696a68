"""Requests that come at once begin little by little, and what the event loop has to do besides comes between them."""

import asyncio

import pytest

from backpropd import errors
from service.server import turns as module
from service.server.turns import PER_PASS, RejectionPace, Turns


def _filling(turns: Turns) -> list[asyncio.Task[None]]:
    """As many requests as may begin in one pass of the event loop: those that come with them wait."""
    return [asyncio.create_task(turns.wait("first")) for _ in range(PER_PASS)]


async def _begin(name: str, turns: Turns, events: list[str], tenant: str = "one") -> None:
    await turns.wait(tenant)
    events.append(name)


def test_requests_begin_in_their_order_and_a_callback_waits_for_few_of_them() -> None:
    events: list[str] = []

    async def run() -> None:
        turns = Turns()
        requests = [asyncio.create_task(_begin(f"request {n}", turns, events)) for n in range(50)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(events.append, "probe")
        await asyncio.gather(*requests)

    asyncio.run(run())
    assert [event for event in events if event != "probe"] == [f"request {n}" for n in range(50)]
    assert events.index("probe") <= 2 * PER_PASS


def test_a_cancelled_request_lets_the_next_ones_begin() -> None:
    events: list[str] = []

    async def run() -> None:
        turns = Turns()
        filling = _filling(turns)
        requests = [asyncio.create_task(_begin(f"request {n}", turns, events)) for n in range(3)]
        await asyncio.sleep(0)
        requests[0].cancel()
        await asyncio.gather(*filling, *requests, return_exceptions=True)
        await _begin("later", turns, events)

    asyncio.run(run())
    assert events == ["request 1", "request 2", "later"]


def test_tenants_take_turns() -> None:
    events: list[str] = []

    async def run() -> None:
        turns = Turns()
        filling = _filling(turns)
        many = [asyncio.create_task(_begin("many", turns, events, "many")) for _ in range(50)]
        few = [asyncio.create_task(_begin("few", turns, events, "few")) for _ in range(3)]
        await asyncio.gather(*filling, *many, *few)

    asyncio.run(run())
    assert events[:6] == ["many", "few"] * 3
    assert len(events) == 53


def test_a_tenant_may_have_only_so_many_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)

    async def run() -> list[object]:
        turns = Turns()
        filling = _filling(turns)
        many = [turns.wait("many") for _ in range(4)]
        found = await asyncio.gather(*many, turns.wait("few"), return_exceptions=True)
        await asyncio.gather(*filling)
        return found

    *begun, rejected, other = asyncio.run(run())
    assert (begun, type(rejected), other) == ([None] * 3, errors.TooManyAtOnce, None)


def test_the_rejections_of_a_tenant_come_one_after_the_other_and_those_beyond_a_number_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_DELAYED", 3.5)
    events: list[str] = []

    async def reject(pace: RejectionPace, name: str, tenant: str) -> None:
        events.append(name if await pace.wait(tenant) else f"{name} at once")

    async def run() -> None:
        pace = RejectionPace()
        many = [reject(pace, str(n), "many") for n in range(6)]
        await asyncio.gather(*many, reject(pace, "other", "few"))

    asyncio.run(run())
    assert (set(events[:4]), events[4:]) == ({"0", "4 at once", "5 at once", "other"}, ["1", "2", "3"])
