"""Requests that come at once begin one by one, and what the event loop has to do besides comes between them."""

import asyncio

from service.server.turns import Turns


async def _begin(name: str, turns: Turns, events: list[str], tenant: str = "one") -> None:
    await turns.wait(tenant)
    events.append(name)


def test_requests_begin_in_their_order_and_a_callback_waits_for_one_of_them_at_most() -> None:
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
    assert events.index("probe") <= 2


def test_a_cancelled_request_lets_the_next_ones_begin() -> None:
    events: list[str] = []

    async def run() -> None:
        turns = Turns()
        requests = [asyncio.create_task(_begin(f"request {n}", turns, events)) for n in range(3)]
        await asyncio.sleep(0)
        requests[0].cancel()
        await asyncio.gather(*requests, return_exceptions=True)
        await _begin("later", turns, events)

    asyncio.run(run())
    assert events == ["request 1", "request 2", "later"]


def test_tenants_take_turns() -> None:
    events: list[str] = []

    async def run() -> None:
        turns = Turns()
        many = [asyncio.create_task(_begin("many", turns, events, "many")) for _ in range(50)]
        few = [asyncio.create_task(_begin("few", turns, events, "few")) for _ in range(3)]
        await asyncio.gather(*many, *few)

    asyncio.run(run())
    assert events[:6] == ["many", "few"] * 3
    assert len(events) == 53
