"""Asking an interface that pages, breaks and refuses, over real HTTP."""

import json
import time
from contextlib import contextmanager

import gevent
import pytest
from gevent.pywsgi import WSGIServer

from analytics.config import Interface
from analytics.errors import ConfigError, Unavailable
from analytics.spouts import poller
from analytics.spouts.poller import BadAnswer, Client, Denied, Poller


@contextmanager
def interface(answer):
    """Serve ``answer(path_and_query) -> (status, body)`` and yield its url; a dict is sent as JSON."""

    def application(environ, start_response):
        status, body = answer(environ)
        body = json.dumps(body).encode() if isinstance(body, dict | list) else body
        start_response(f"{status} so", [("Content-Length", str(len(body)))])
        return [body]

    server = WSGIServer(("127.0.0.1", 0), application, log=None, error_log=None)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.stop(timeout=1)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(poller, "FIRST_DELAY", 0.005)


def client(url, **settings):
    return Client(Interface(url=url, **settings), "payment")


def test_pages_are_asked_for_until_there_is_no_next():
    asked = []

    def answer(environ):
        asked.append(environ["QUERY_STRING"])
        page = environ["QUERY_STRING"].rpartition("=")[2]
        return 200, {"users": {page: 1}, "next": {"1": 2, "2": "last", "last": None}[page]}

    with interface(answer) as url:
        pages = list(client(url + "/?area={area}&page={page}").pages({"area": "a b&c"}))
    assert [page["users"] for page, _ in pages] == [{"1": 1}, {"2": 1}, {"last": 1}]
    assert asked[0] == "area=a%20b%26c&page=1" and len(asked) == 3


@pytest.mark.parametrize("following", [1, "1", True, {"page": 2}, 2.5])
def test_a_next_that_leads_nowhere_is_a_bad_answer(following):
    with interface(lambda _: (200, {"next": following})) as url, pytest.raises(BadAnswer, match=r"\$\.next"):
        list(client(url + "/?{page}").pages({}))


def test_more_pages_than_the_url_can_ask_for():
    with interface(lambda _: (200, {"next": 2})) as url, pytest.raises(BadAnswer, match=r"\{page\}"):
        list(client(url).pages({}))


FAULTS = [
    (500, b"<html>oops</html>"),
    (503, b""),
    (429, b"slow down"),
    (200, b"<html>Maintenance</html>"),
    (200, b""),
    (200, b'{"users": {"a": {"tim'),
    (200, b'{"users": NaN}'),
    (200, b"\xff\xfe"),
    (200, b'{"users": ' + b"[" * 5000 + b"]" * 5000 + b"}"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_retried_until_it_is_over(fault):
    left = [fault, fault]
    with interface(lambda _: left.pop() if left else (200, {"users": {}})) as url:
        assert [page for page, _ in client(url, retries=2).pages({})] == [{"users": {}}]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stays_is_told(fault):
    asked = []
    with (
        interface(lambda environ: asked.append(environ) or fault) as url,
        pytest.raises(Unavailable) as caught,
    ):
        list(client(url, retries=3).pages({}))
    assert len(asked) == 4 and url in str(caught.value) and "expected" in str(caught.value)


def test_a_refusal_is_not_asked_again_at_once():
    asked = []
    with (
        interface(lambda environ: asked.append(environ) or (403, b"no")) as url,
        pytest.raises(Denied) as caught,
    ):
        list(client(url, retries=3).pages({}))
    assert len(asked) == 1 and 'expected status 200, got 403: "no"' in str(caught.value)


def test_a_half_body_is_no_answer():
    def application(_, start_response):
        start_response("200 OK", [("Content-Length", "100"), ("Connection", "close")])
        return [b'{"users": {}}']

    server = WSGIServer(("127.0.0.1", 0), application, log=None, error_log=None)
    server.start()
    with pytest.raises(Unavailable):
        list(client(f"http://127.0.0.1:{server.server_port}", retries=1, timeout_seconds=1).pages({}))
    server.stop(timeout=1)


def test_silence_ends_at_the_timeout():
    with interface(lambda _: gevent.sleep(600)) as url:
        began = time.monotonic()
        with pytest.raises(Unavailable, match="timed out"):
            list(client(url, retries=0, timeout_seconds=0.1).pages({}))
        assert time.monotonic() - began < 300


def test_an_answer_that_drips_for_ever_ends_too(monkeypatch):
    monkeypatch.setattr(poller, "WHOLE_ANSWER", 1 / 60)

    def application(_, start_response):
        start_response("200 OK", [])
        while True:
            gevent.sleep(0.05)
            yield b" "

    server = WSGIServer(("127.0.0.1", 0), application, log=None, error_log=None)
    server.start()
    with pytest.raises(Unavailable, match="expected the whole answer within 1 s"):
        list(client(f"http://127.0.0.1:{server.server_port}", retries=0, timeout_seconds=60).pages({}))
    server.stop(timeout=1)


def test_nobody_there():
    with interface(lambda _: (200, {})) as url:
        pass
    with pytest.raises(Unavailable, match="refused"):
        list(client(url, retries=1).pages({}))


def test_headers_and_token_are_sent(monkeypatch):
    monkeypatch.setenv("PAYMENT_TOKEN", "secret")
    seen = []
    with interface(lambda environ: seen.append(environ) or (200, {})) as url:
        list(client(url, token_env="PAYMENT_TOKEN", headers={"X-Operator": "me"}).pages({}))
    assert (seen[0]["HTTP_AUTHORIZATION"], seen[0]["HTTP_X_OPERATOR"]) == ("Bearer secret", "me")


def test_a_token_that_is_not_there_is_missed_at_start():
    with pytest.raises(ConfigError, match=r"payment\.token_env: .*NOT_SET_ANYWHERE"):
        client("http://127.0.0.1/", token_env="NOT_SET_ANYWHERE")


def test_the_clock_is_the_interfaces_where_it_has_one():
    with interface(lambda _: (200, {"now": 1423213068})) as url:
        assert client(url, clock_url=url).now() == 1423213068
        assert abs(client(url).now() - time.time()) < 5


@pytest.mark.parametrize("now", ["noon", None, True, 1423213068000, 0, [1]])
def test_a_clock_that_is_none_is_not_followed(now):
    with (
        interface(lambda _: (200, {"now": now})) as url,
        pytest.raises(BadAnswer, match=r"\$\.now: expected"),
    ):
        client(url, clock_url=url).now()


def polling(ask, questions, **settings):
    found = Interface(url="http://127.0.0.1:9/", every_seconds=0.05, **settings)
    poll = Poller(Client(found, "payment"), found, lambda now: questions, ask)
    poll.start()
    return poll


def test_a_slow_question_holds_up_no_other():
    def ask(question):
        gevent.sleep(600 if question == "slow" else 0)
        yield question

    poll = polling(ask, ["slow", "a", "b"], concurrency=2)
    answers = [poll.get(60) for _ in range(6)]
    poll.stop()
    assert [answer.result for answer in answers] == ["a", "b"] * 3
    assert [answer.at for answer in answers] == sorted({answer.at for answer in answers})


def test_never_more_at_once_than_configured_and_no_question_twice():
    running, most = [], []

    def ask(question):
        running.append(question)
        most.append(len(running))
        assert len(set(running)) == len(running)
        gevent.sleep(0.01)
        running.remove(question)
        yield question

    poll = polling(ask, range(20), concurrency=3)
    for _ in range(60):
        assert poll.get(60) is not None
    poll.stop()
    assert max(most) == 3


def test_nobody_takes_answers_and_nothing_piles_up():
    asked = []
    poll = polling(lambda question: [asked.append(question)], range(100), concurrency=2)
    gevent.sleep(0.3)
    poll.stop()
    assert 0 < len(asked) <= 6


def test_what_fails_is_an_answer_and_what_breaks_surfaces():
    def ask(question):
        raise Unavailable("gone") if question == "a" else ZeroDivisionError("a bug")

    poll = polling(ask, ["a"])
    assert str(poll.get(60).error) == "gone"
    poll.stop()
    poll = polling(ask, ["b"])
    with pytest.raises(ZeroDivisionError):
        for _ in range(20):
            poll.get(0.1)
    poll.stop()


def test_an_interface_that_limits_the_rate_is_asked_when_it_says_and_answers_all(monkeypatch):
    """It allows three requests, then none until it was left alone for a second: each refusal makes it begin again."""
    state = {"left": 3, "quiet_since": time.monotonic(), "refused": 0}

    def application(environ, start_response):
        now = time.monotonic()
        if now - state["quiet_since"] >= 1:
            state["left"] = 3
        state["quiet_since"] = now
        body = b'{"users": {}}'
        if state["left"]:
            state["left"] -= 1
            start_response("200 OK", [("Content-Length", str(len(body)))])
        else:
            state["refused"] += 1
            start_response("429 Slow down", [("Retry-After", "2"), ("Content-Length", str(len(body)))])
        return [body]

    server = WSGIServer(("127.0.0.1", 0), application, log=None, error_log=None)
    server.start()
    asked = client(f"http://127.0.0.1:{server.server_port}", retries=1, concurrency=6)
    answers = [gevent.spawn(lambda: list(asked.pages({}))) for _ in range(12)]
    gevent.joinall(answers, timeout=300, raise_error=True)
    server.stop(timeout=0)
    assert all(answer.value for answer in answers)
    assert state["refused"] <= 12


def test_a_refusal_that_stays_is_told_after_as_many_tries_as_any_fault(monkeypatch):
    monkeypatch.setattr(poller, "CALM_SECONDS", 0.0)
    with interface(lambda _: (429, b"slow down")) as url:
        asked = client(url, retries=2)
        with pytest.raises(Unavailable, match="got 429"):
            list(asked.pages({}))
        assert "got 429" in asked.limit
    with interface(lambda _: (200, {})) as url:
        assert not client(url).limit


def test_an_answer_may_begin_with_a_byte_order_mark():
    with interface(lambda _: (200, b'\xef\xbb\xbf{"users": {}}')) as url:
        assert [page for page, _ in client(url).pages({})] == [{"users": {}}]
