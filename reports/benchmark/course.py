"""The course of a benchmark: set up, measure every row in turn, book what has lapsed."""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.core.management import call_command

from coupons import lifecycle
from coupons.models import Campaign, Coupon, Round
from huigou import clock
from reports.benchmark import asking, county, figures, processes
from reports.benchmark.figures import Figures

CARDS = 20_000
PEOPLE = 20_000
MANY = 64
LAPSING = 40_000
BIG, BIG_LAPSING = 5_000_000, 1_000_000
OF_OLD = 500_000  # people who drew before, with some ten draws each as after two campaigns of seven rounds
WARM_UP_S = 1.0


@dataclass(frozen=True)
class Scale:
    """How long and how often."""

    passes: int = 3
    seconds: float = 4.0
    seconds_alone: float = 2.5
    is_full: bool = False


Step = Callable[[str], object]


def measure(scale: Scale, step: Step) -> Figures:
    """Measure everything on the benchmark's own database; ``step`` is told what comes next."""
    found = Figures()
    # The web's user and the servers' account both enter; the files hold no secret but invented cookies.
    with tempfile.TemporaryDirectory(prefix="huigou-bench-") as name:
        folder = Path(name)
        step("准备数据")
        call_command("collectstatic", verbosity=0, interactive=False)
        everybody = county.some_consumers(PEOPLE + (OF_OLD if scale.is_full else 0))
        people, of_old = everybody[:PEOPLE], everybody[PEOPLE:]
        _database_alone(found, scale, folder, people, of_old, step)
        _over_http(found, scale, folder, people, step)
    _book(found, scale, of_old or people, step)
    return found


def steps(scale: Scale) -> int:
    """Return how often ``step`` will be called."""
    alone = scale.passes * 7 + (scale.passes * 2 + 2 if scale.is_full else 0)
    web = scale.passes * (len(_paths([0], 0)) + 1) * 2
    return 1 + alone + web + 1 + scale.is_full


def _database_alone(
    found: Figures, scale: Scale, folder: Path, people: list[int], of_old: list[int], step: Step
) -> None:
    clients = (1, 8, MANY)
    stock = {f"s{p}-{n}": CARDS for p in range(scale.passes) for n in (*clients, "one")}
    rows = {figures.SQL: county.a_campaign("sql", stock, _an_hour_ago())}
    if scale.is_full:
        rows[figures.SQL_BIG] = county.a_campaign("sql-5m", {"big": BIG, "old": BIG + PEOPLE * 4}, _an_hour_ago())
        step("500 万次历史抽奖写入数据库（数分钟）")
        county.draw_history(county.deck_id(rows[figures.SQL_BIG], "old"), BIG, of_old)
        county.settle()
    for number in range(scale.passes):
        for n in clients:
            step(f"pgbench 一条 INSERT，{n} 个客户端")
            found.add(figures.CEILING, n, processes.one_inserts(folder, n, round(scale.seconds)))
            step(f"抽奖语句，{n} 个客户端")
            deck = county.deck_id(rows[figures.SQL], f"s{number}-{n}")
            found.add(figures.SQL, n, processes.draws(deck, people, n, scale.seconds))
        step(f"抽奖语句，一个进程，{MANY} 个客户端")
        deck = county.deck_id(rows[figures.SQL], f"s{number}-one")
        found.add(figures.SQL_ONE, MANY, processes.draws(deck, people, MANY, scale.seconds, processes=1))
        if scale.is_full:
            # Nobody draws twice from a deck: each pass takes its own third of the people.
            some = people[number :: scale.passes]
            for row, code in ((figures.SQL_BIG, "big"), (figures.SQL_OLD, "old")):
                step(figures.NAMES[row])
                deck = county.deck_id(rows[figures.SQL_BIG], code)
                found.add(row, MANY, processes.draws(deck, some, MANY, scale.seconds))


def _paths(people: list[int], number: int) -> list[tuple[str, list[bytes], int]]:
    """Return the rows whose requests may be sent again and again: row, requests, expected status."""
    some = people[:2_000]
    return [
        (figures.EMPTY, [asking.get("/bench/empty")], 200),
        (figures.INSERT, [asking.post("/bench/insert", person) for person in some], 200),
        (figures.TEXTBOOK, [asking.post("/bench/textbook", p) for p in people[number::PASS_STRIDE]], 200),
        (figures.HOME, [asking.get("/m/")], 200),
        (figures.HOME_BOUND, [asking.get("/m/", person) for person in some], 200),
        (figures.GONE, [asking.draw("gone", person) for person in people[1_000:]], 409),
    ]


PASS_STRIDE = 12  # of the textbook's people: each run has people of its own, since nobody wins twice


def _over_http(found: Figures, scale: Scale, folder: Path, people: list[int], step: Step) -> None:
    # Five categories, as the county's own page shows; the decks of the passes come from campaigns one after another.
    port = processes.free_port()
    for number in range(scale.passes):
        stock = {"many": CARDS, "one": CARDS, "gone": 50, "warm": CARDS, "rest": CARDS}
        campaign = county.a_campaign(f"http-{number}", stock, _an_hour_ago())
        county.draw_out(county.deck_id(campaign, "gone"), people[:60])
        with processes.web(port, folder / "web.log"):
            _warm_up(folder, port, people)
            for clients, seconds in ((MANY, scale.seconds), (1, scale.seconds_alone)):
                place = number * 2 + (clients == 1)
                for row, built, status in _paths(people, place):
                    step(f"{figures.NAMES[row]}，{clients} 个连接")
                    again = row != figures.TEXTBOOK
                    run = processes.requests(folder, port, built, clients, seconds, again=again, expect=status)
                    found.add(row, clients, run)
                step(f"{figures.NAMES[figures.DRAW]}，{clients} 个连接")
                built = asking.draws("many" if clients > 1 else "one", people)
                run = processes.requests(folder, port, built, clients, seconds, again=False, expect=200)
                found.add(figures.DRAW, clients, run)


def _warm_up(folder: Path, port: int, people: list[int]) -> None:
    """Let every thread of the web open its connection and every path be compiled, untimed."""
    rest = [asking.get("/bench/empty"), asking.post("/bench/insert", people[0]), asking.get("/m/", people[0])]
    built = [request for draw in asking.draws("warm", people[:2_000]) for request in (draw, *rest)]
    processes.requests(folder, port, built, MANY, WARM_UP_S * 5, again=False, expect=200)


def _book(found: Figures, scale: Scale, people: list[int], step: Step) -> None:
    """Let rounds of so many held coupons lapse and book them."""
    for count in (LAPSING, BIG_LAPSING) if scale.is_full else (LAPSING,):
        step(f"{count:,} 张券到期入账")
        campaign = county.a_campaign(f"lapse-{count}", {"lapse": count}, _an_hour_ago())
        county.draw_history(county.deck_id(campaign, "lapse"), count, people)
        round_ = Round.objects.get(campaign=campaign)
        clock.shift(offset=dt.timedelta(days=6))
        begun = time.perf_counter()
        lifecycle.book_round(round_.pk)
        found.bookings[count] = time.perf_counter() - begun
        clock.shift(offset=dt.timedelta(0))
        _check_booked(campaign, count)


def _check_booked(campaign: Campaign, count: int) -> None:
    booked = Coupon.objects.filter(round__campaign=campaign, state=Coupon.State.EXPIRED).count()
    if booked != count:
        raise processes.BenchmarkError(f"{booked} of {count} coupons were booked as expired")


def _an_hour_ago() -> dt.datetime:
    return clock.now() - dt.timedelta(hours=1)
