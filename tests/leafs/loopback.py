"""Servers on this machine that speak WeChat's and the SMS providers' protocols, errors and moods included."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

Reply = tuple[int, bytes]


def said(document: object, status: int = 200) -> Reply:
    """Return a JSON reply."""
    return status, json.dumps(document, ensure_ascii=False).encode()


class Loopback:
    """A scripted HTTP server. Subclasses answer; ``delay_s``, ``drip_s`` and ``instead`` are its moods."""

    content_type = "application/json"

    def __init__(self) -> None:
        self.base = ""
        self.calls: Counter[str] = Counter()
        self.seen: list[dict[str, Any]] = []
        self.delay_s = 0.0
        self.drip_s = 0.0  # pause after each byte of the body
        self.hang_up = False
        self.instead: list[Reply] = []  # replies to give first, whatever is asked
        self.lock = threading.Lock()

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Reply:
        return said({})

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self.lock:
            self.calls[parts.path] += 1
            self.seen.append({"line": handler.requestline, "headers": headers, "body": body})
            reply = self.instead.pop(0) if self.instead else None
            status, content = reply or self.answer(
                handler.command, parts.path, dict(parse_qsl(parts.query)), headers, body
            )
        time.sleep(self.delay_s)
        if self.hang_up:
            return
        handler.send_response(status)
        handler.send_header("Content-Type", self.content_type)
        handler.send_header("Content-Length", str(len(content)))
        if 300 <= status < 400:
            there = content.decode() if content.startswith(b"http") else self.base + "/elsewhere"
            handler.send_header("Location", there)
        handler.end_headers()
        pieces = [content] if not self.drip_s else [content[i : i + 1] for i in range(len(content))]
        for piece in pieces:
            handler.wfile.write(piece)
            time.sleep(self.drip_s)


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a client gave up waiting: that is what some tests are about."""


@contextmanager
def serving(loopback: Loopback) -> Iterator[Loopback]:
    """Serve on a free port of 127.0.0.1 until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            loopback.handle(self)

        def do_POST(self) -> None:
            loopback.handle(self)

        def log_message(self, format: str, *args: Any) -> None:
            """Keep no log."""

    server = QuietServer(("127.0.0.1", 0), Handler)
    loopback.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield loopback
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class FakeWeChat(Loopback):
    """The server side of the calls in huigou.wechat, for one official account."""

    content_type = "text/plain"  # as WeChat declares its JSON

    def __init__(self, app_id: str, secret: str) -> None:
        super().__init__()
        self.app_id, self.secret = app_id, secret
        self.codes: dict[str, dict[str, Any]] = {}
        self.used: set[str] = set()
        self.profiles: dict[str, dict[str, Any]] = {}
        self.subscribers: set[str] = set()
        self.sent: list[dict[str, Any]] = []
        self.agrees = True  # what the person says when asked about a one-off message
        self.agreed: Counter[tuple[str, str, str]] = Counter()  # messages still allowed, by account, template and scene
        self.sent_once: list[dict[str, Any]] = []
        self.token = ""
        self.dead_at_calls: set[str] = set()  # tokens that stable_token still hands out and calls refuse
        self.expires_in = 7200
        self.errors: list[tuple[str, int, str]] = []  # (path, errcode, errmsg), each given once
        self.forced = 0
        self.owner = "o-wang"  # of the phone that opens the page
        self.location: dict[str, float] = {}
        self.scanned = ""

    def expire_token(self) -> None:
        """Let the account's token die as it does when somebody else refreshes it."""
        self.token = ""

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Reply:
        for error in self.errors:
            if error[0] == path:
                self.errors.remove(error)
                return said({"errcode": error[1], "errmsg": error[2]})
        name = {
            ("GET", "/sns/oauth2/access_token"): self.oauth,
            ("GET", "/sns/userinfo"): self.userinfo,
            ("POST", "/cgi-bin/stable_token"): self.stable_token,
            ("GET", "/cgi-bin/ticket/getticket"): self.ticket,
            ("POST", "/cgi-bin/message/subscribe/bizsend"): self.bizsend,
            ("POST", "/cgi-bin/message/template/subscribe"): self.one_off,
            ("GET", "/connect/oauth2/authorize"): self.authorise,
            ("GET", "/mp/subscribemsg"): self.ask_one_off,
            ("GET", "/open/js/jweixin.js"): self.script,
        }.get((method, path))
        return name(query, body) if name else said({"errcode": 48001, "errmsg": "api unauthorized"})

    def authorise(self, query: dict[str, str], body: bytes) -> Reply:
        """What a phone inside WeChat is sent to: back with a code, without a question for snsapi_base."""
        code = f"c{len(self.codes)}"
        self.codes[code] = {"openid": self.owner, "scope": query["scope"]}
        return 302, f"{query['redirect_uri']}?code={code}&state={query['state']}".encode()

    def ask_one_off(self, query: dict[str, str], body: bytes) -> Reply:
        """Ask whoever opens it to allow one message; back with the answer."""
        if query.get("appid") != self.app_id or query.get("action") != "get_confirm" or not query.get("reserved"):
            return said({"errcode": 40013, "errmsg": "invalid appid"})
        scene, template = query["scene"], query["template_id"]
        self.agreed[self.owner, template, scene] += self.agrees
        answer = {"openid": self.owner, "template_id": template, "action": "confirm" if self.agrees else "cancel"}
        answer |= {"scene": scene, "reserved": query["reserved"]}
        return 302, f"{query['redirect_url']}?{urlencode(answer)}".encode()

    def one_off(self, query: dict[str, str], body: bytes) -> Reply:
        if refusal := self.bad_token(query):
            return refusal
        message = json.loads(body)
        if len(message["title"]) > 15 or len(message["data"]["content"]["value"]) > 200:
            return said({"errcode": 47003, "errmsg": "argument invalid! title is over length"})
        asked = (message["touser"], message["template_id"], message["scene"])
        if not self.agreed[asked]:
            return said({"errcode": 43101, "errmsg": f"user {message['touser']} refuse to accept the msg"})
        self.agreed[asked] -= 1
        self.sent_once.append(message)
        return said({"errcode": 0, "errmsg": "ok"})

    def script(self, query: dict[str, str], body: bytes) -> Reply:
        """Stand in for WeChat's script, whose calls go to the app around the page: answers that a phone would give."""
        return 200, (
            "window.wx = { config(given) { window.wxGiven = given; setTimeout(() => window.wxReady(), 0); },"
            " ready(then) { window.wxReady = then; }, error() {},"
            f" getLocation(ask) {{ ask.success({json.dumps(self.location)}); }},"
            f" scanQRCode(ask) {{ ask.success({{ resultStr: {json.dumps(self.scanned)} }}); }} }};"
        ).encode()

    def wrong_account(self, given: dict[str, Any]) -> Reply | None:
        if given.get("appid") != self.app_id:
            return said({"errcode": 40013, "errmsg": "invalid appid rid: 1-2-3"})
        if given.get("secret") != self.secret:
            return said({"errcode": 40001, "errmsg": f"invalid credential {given.get('secret')}, access_token"})
        return None

    def oauth(self, query: dict[str, str], body: bytes) -> Reply:
        if refusal := self.wrong_account(query):
            return refusal
        code = query.get("code", "")
        if code in self.used:
            return said({"errcode": 40163, "errmsg": "code been used"})
        if code not in self.codes or query.get("grant_type") != "authorization_code":
            return said({"errcode": 40029, "errmsg": f"invalid code {code}"})
        self.used.add(code)
        return said({"access_token": f"web-{code}", "expires_in": 7200, "refresh_token": "r", **self.codes[code]})

    def userinfo(self, query: dict[str, str], body: bytes) -> Reply:
        code = query.get("access_token", "").removeprefix("web-")
        if self.codes.get(code, {}).get("scope") != "snsapi_userinfo":
            return said({"errcode": 48001, "errmsg": "api unauthorized"})
        profile = {"openid": query["openid"], "sex": 0, "headimgurl": "https://thirdwx.invalid/0"}
        raw = json.dumps({**profile, **self.profiles[query["openid"]]}, ensure_ascii=False)
        # WeChat passes a nickname's control characters through unescaped.
        return 200, raw.replace("\\u0007", "\x07").encode()

    def stable_token(self, query: dict[str, str], body: bytes) -> Reply:
        given = json.loads(body)
        if refusal := self.wrong_account(given):
            return refusal
        if given["force_refresh"]:
            self.forced += 1
        if given["force_refresh"] or not self.token:
            self.token = "T" + secrets.token_hex(16)
        return said({"access_token": self.token, "expires_in": self.expires_in})

    def bad_token(self, query: dict[str, str]) -> Reply | None:
        token = query.get("access_token")
        if token != self.token or token in self.dead_at_calls:
            return said({"errcode": 42001, "errmsg": f"access_token expired {token}"})
        return None

    def ticket(self, query: dict[str, str], body: bytes) -> Reply:
        return self.bad_token(query) or said(
            {"errcode": 0, "errmsg": "ok", "ticket": "K-" + self.token, "expires_in": self.expires_in}
        )

    def bizsend(self, query: dict[str, str], body: bytes) -> Reply:
        if refusal := self.bad_token(query):
            return refusal
        message = json.loads(body)
        if any(name.startswith("thing") and len(each["value"]) > 20 for name, each in message["data"].items()):
            return said({"errcode": 47003, "errmsg": "argument invalid! data.thing1.value is over length"})
        if message["touser"] not in self.subscribers:
            return said({"errcode": 43101, "errmsg": f"user {message['touser']} refuse to accept the msg"})
        self.sent.append(message)
        return said({"errcode": 0, "errmsg": "ok"})


@contextmanager
def an_account(settings: Any, secret: str) -> Iterator[FakeWeChat]:
    """Serve an account of its own, so that no test finds another's token in the cache, and point the settings at it."""
    with serving(FakeWeChat("wx" + secrets.token_hex(8), secret)) as server:
        settings.WECHAT_APP_ID, settings.WECHAT_APP_SECRET = server.app_id, secret
        settings.WECHAT_API_BASE, settings.WECHAT_TIMEOUT_S = server.base, 2
        settings.WECHAT_OPEN_BASE, settings.WECHAT_MP_BASE = "https://open.weixin.qq.com", server.base
        yield server


class FakeTencent(Loopback):
    """SendSms behind TC3-HMAC-SHA256, the signature worked out anew from what arrived."""

    def __init__(self, access_id: str, secret: str) -> None:
        super().__init__()
        self.access_id, self.secret = access_id, secret
        self.status_code = "Ok"
        self.taken: list[dict[str, Any]] = []

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Reply:
        date = time.strftime("%Y-%m-%d", time.gmtime(int(headers["x-tc-timestamp"])))
        request = f"{method}\n{path}\n\ncontent-type:{headers['content-type']}\nhost:{headers['host']}\n\n"
        request += "content-type;host\n" + hashlib.sha256(body).hexdigest()
        plain = f"TC3-HMAC-SHA256\n{headers['x-tc-timestamp']}\n{date}/sms/tc3_request\n"
        plain += hashlib.sha256(request.encode()).hexdigest()
        key = ("TC3" + self.secret).encode()
        for word in (date, "sms", "tc3_request"):
            key = hmac.new(key, word.encode(), hashlib.sha256).digest()
        wanted = (
            f"TC3-HMAC-SHA256 Credential={self.access_id}/{date}/sms/tc3_request, SignedHeaders=content-type;host, "
            f"Signature={hmac.new(key, plain.encode(), hashlib.sha256).hexdigest()}"
        )
        if headers["authorization"] != wanted or headers["x-tc-action"] != "SendSms":
            error = {"Code": "AuthFailure.SignatureFailure", "Message": f"signature mismatch {body.decode()}"}
            return said({"Response": {"Error": error, "RequestId": "r-1"}})
        message = json.loads(body)
        number = message["PhoneNumberSet"][0]
        status = {"SerialNo": "5000:1", "PhoneNumber": number, "Fee": 1, "Code": self.status_code}
        status["Message"] = "send success" if self.status_code == "Ok" else f"refused for {number}"
        if self.status_code == "Ok":
            self.taken.append(message)
        return said({"Response": {"SendStatusSet": [status], "RequestId": "r-1"}})


class FakeAliyun(Loopback):
    """SendSms behind the RPC signature, worked out anew from the form that arrived."""

    def __init__(self, access_id: str, secret: str) -> None:
        super().__init__()
        self.access_id, self.secret = access_id, secret
        self.code = "OK"
        self.taken: list[dict[str, str]] = []
        self.nonces: set[str] = set()

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Reply:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
        given = form.pop("Signature")
        pairs = [quote(k, safe="-_.~") + "=" + quote(v, safe="-_.~") for k, v in sorted(form.items())]
        plain = method + "&" + quote(path, safe="") + "&" + quote("&".join(pairs), safe="-_.~")
        key = (self.secret + "&").encode()
        wanted = base64.b64encode(hmac.new(key, plain.encode(), hashlib.sha1).digest()).decode()
        if form["AccessKeyId"] != self.access_id:
            return said({"Code": "InvalidAccessKeyId.NotFound", "Message": "not found"}, 404)
        if given != wanted or form["SignatureNonce"] in self.nonces:
            return said({"Code": "SignatureDoesNotMatch", "Message": f"server string to sign is:{plain}"}, 400)
        self.nonces.add(form["SignatureNonce"])
        if self.code != "OK":
            return said({"Code": self.code, "Message": f"{form['PhoneNumbers']} 被拒", "RequestId": "r-2"})
        self.taken.append(form)
        return said({"Code": "OK", "Message": "OK", "BizId": "900619746936498440^0", "RequestId": "r-2"})


class FakeGateway(Loopback):
    """A provider with a plain JSON interface that wants a bearer token."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token
        self.taken: list[dict[str, Any]] = []
        self.result: dict[str, Any] = {"code": 0, "msg": "ok"}

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Reply:
        if headers.get("authorization") != f"Bearer {self.token}":
            return said({"code": 401, "msg": f"bad token {headers.get('authorization')}"}, 401)
        self.taken.append(json.loads(body))
        return said(self.result)
