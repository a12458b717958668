"""The platform's site under the real server: what Django gets is what was sent, and the other way round."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import http.client
import json
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial

import pytest

from huigou import tokens
from huigou.gathering import Gathering, Question
from huigou.serving import SMALL_BODY, Bell, Site
from tests.rsgi import Headers, in_loop
from tests.served_echo import PIECE, PIECES, echo, nobody
from tests.serving import free_port, running


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    free = free_port()
    where = ["--host", "127.0.0.1", "--port", str(free), "--log-level", "critical"]
    with running([sys.executable, "-m", "granian", "--interface", "rsgi", *where, "tests.served_echo:site"], None):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with suppress(OSError):
                sent(free, "GET", "/")
                break
            time.sleep(0.05)
        yield free


def sent(port: int, method: str, path: str, body: bytes | None = None, headers: list[tuple[str, bytes]] = ()):  # type: ignore[no-untyped-def]
    """Send a request as it stands, and return status, headers and body of the answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.putrequest(method, path)
        for name, value in headers:
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()


def test_django_gets_what_was_sent(port):
    headers = [("X-A", b"1"), ("X-A", b"2"), ("Cookie", b"a=1"), ("Cookie", b"b=2"), ("Content-Type", b"text/x")]
    status, told, body = sent(port, "POST", "/m/%E7%8E%8B/x%20y?a=%E7%8E%8B&b", b"abc", headers)
    said = json.loads(body)
    assert status == 203
    assert [value for name, value in told if name == "set-cookie"] == ["a=1", "b=2"]
    assert said["PATH_INFO"].encode("latin-1").decode() == "/m/王/x y"
    expected = {
        "REQUEST_METHOD": "POST", "QUERY_STRING": "a=%E7%8E%8B&b", "CONTENT_TYPE": "text/x", "CONTENT_LENGTH": "3",
        "HTTP_X_A": "1,2", "HTTP_COOKIE": "a=1; b=2", "HTTP_HOST": f"127.0.0.1:{port}", "REMOTE_ADDR": "127.0.0.1",
        "SERVER_PORT": str(port), "wsgi.url_scheme": "http", "digest": hashlib.sha256(b"abc").hexdigest(),
    }  # fmt: skip
    assert {name: said.get(name) for name in expected} == expected


def test_a_cookie_header_cut_into_several_is_read_whole():
    assert tokens.header_of(Headers({"Cookie": "a=1\nb=2"})) == "a=1; b=2"
    assert tokens.header_of(Headers({})) == ""


def test_a_header_that_passes_for_another_is_dropped(port):
    """A proxy sets X-Forwarded-For; the same name with an underscore would come beside it."""
    said = json.loads(sent(port, "GET", "/", headers=[("X_Forwarded_For", b"203.0.113.9")])[2])
    assert "HTTP_X_FORWARDED_FOR" not in said


@pytest.mark.parametrize("size", [0, 1, SMALL_BODY, SMALL_BODY + 1, 5_000_000])
def test_a_body_of_any_size_comes_whole(port, size):
    body = bytes(range(251)) * (size // 251 + 1)
    said = json.loads(sent(port, "POST", "/", body[:size])[2])
    assert said["digest"] == hashlib.sha256(body[:size]).hexdigest()


def test_a_long_answer_comes_whole_and_a_broken_one_is_said(port):
    with ThreadPoolExecutor(4) as pool:
        for status, _, body in pool.map(lambda _: sent(port, "GET", "/?long"), range(8)):
            assert (status, body) == (200, PIECE * PIECES)
    assert sent(port, "GET", "/?broken")[0] == 500
    assert sent(port, "HEAD", "/")[2] == b""


# ---- waiting together


class Twice(Gathering[int, int]):
    """Doubles numbers; nought breaks it."""

    def answer(self, batch: list[Question[int, int]]) -> None:
        for question in batch:
            if question.asked:
                question.tell(question.asked * 2)
            else:
                question.fail(ZeroDivisionError())


class Never(Gathering[int, int]):
    def answer(self, batch: list[Question[int, int]]) -> None:
        pass


def in_site(course):  # type: ignore[no-untyped-def]
    async def whole():  # type: ignore[no-untyped-def]
        site = Site(echo, nobody)
        site.__rsgi_init__(asyncio.get_running_loop(), 2)
        try:
            return await course(site)
        finally:
            site.__rsgi_del__(site.loop)

    return in_loop(whole)


def test_everybody_who_waits_is_told_the_own_answer():
    twice = Twice("twice", 8)

    async def course(site):  # type: ignore[no-untyped-def]
        return await asyncio.gather(*[site.told(partial(twice.submit, n), 5) for n in range(1, 200)])

    assert in_site(course) == [2 * n for n in range(1, 200)]
    with pytest.raises(ZeroDivisionError):
        in_site(lambda site: site.told(partial(twice.submit, 0), 5))
    with pytest.raises(TimeoutError):
        in_site(lambda site: site.told(partial(Never("never", 8).submit, 1), 0.05))
    with pytest.raises(TimeoutError):
        Never("never", 8).submit(1).result(0.05)
    assert twice.submit(4).result(5) == 8


@pytest.mark.parametrize(("end", "left"), [(Question._end, 0), (lambda question: question._then(question), 1)])
def test_a_told_question_is_gone_without_the_collector(end, left, monkeypatch):
    """A rush tells thousands a second; what it calls, a future say, holds the question. The control never lets go."""
    monkeypatch.setattr(Question, "_end", end)
    asked, told = object(), []
    gc.collect()
    gc.disable()
    try:
        question = Question(asked, told.append)
        question.tell(1)
        assert told == [question]
        del question, told
        assert sum(type(each) is Question and each.asked is asked for each in gc.get_objects()) == left
    finally:
        gc.enable()


def test_what_blocks_is_done_in_a_thread_and_its_fault_comes_back():
    async def course(site):  # type: ignore[no-untyped-def]
        with pytest.raises(ZeroDivisionError):
            await site.in_thread(lambda: 1 / 0)
        return await asyncio.gather(*[site.in_thread(lambda: threading.current_thread().name) for _ in range(20)])

    assert set(in_site(course)) <= {"web-0", "web-1"}


def test_who_gave_up_keeps_nobody_from_the_answer():
    async def course(site):  # type: ignore[no-untyped-def]
        ends = threading.Event(), threading.Event()
        given_up, patient = (asyncio.ensure_future(site.in_thread(partial(end.wait, 20))) for end in ends)
        await asyncio.sleep(0)  # both are in a thread now
        given_up.cancel()
        await asyncio.sleep(0)
        for number, end in enumerate(ends, 1):  # both end, in this order, before the loop looks
            end.set()
            while len(site.bell._heard) < number:
                time.sleep(0.001)
        return await asyncio.wait_for(patient, 5)

    assert in_site(course) is True


def test_one_bell_for_all_that_happens_before_the_loop_looks():
    async def course():  # type: ignore[no-untyped-def]
        loop = asyncio.get_running_loop()
        rung, heard, bell = [], [], Bell(loop)
        bell.loop = type("Counted", (), {"call_soon_threadsafe": staticmethod(rung.append)})
        for number in range(5):
            bell.ring(partial(heard.append, number))
        assert (len(rung), heard) == (1, [])
        rung[0]()
        assert heard == [0, 1, 2, 3, 4]
        bell.ring(partial(heard.append, 5))
        assert len(rung) == 2

    in_loop(course)
