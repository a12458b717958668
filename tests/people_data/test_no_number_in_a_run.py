"""A day through real processes: web with its access log, worker, SMS, scans, entries, errors, the back office.

Whatever they write, keep or ask for is looked through afterwards; a phone number stands sealed, and nowhere else.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings as django_settings
from django.db import connection

from coupons import codes, lifecycle
from coupons.models import Coupon, OutboxMessage, Person
from huigou import clock
from huigou.sms import file
from merchants import binding
from merchants.models import CommitmentLetter, Complaint, Redemption
from reports.models import AuditEntry, ExportJob
from tests import factories
from tests.people_data.test_binding import solution
from tests.people_data.test_no_number_leaks import forms_of, from_hex, in_database, in_redis
from tests.serving import free_port, running, wait_for, web

WANG, LI = "19900004321", "19900008765"
NAME = "欧阳明远"
HOST = "http://127.0.0.1"


class Phone:
    """A browser that remembers every address it asked for and every page it got, our own copy of our data aside."""

    def __init__(self, site: str) -> None:
        self.site, self.session = site, requests.Session()
        self.session.trust_env = False
        self.session.headers.update({"X-Requested-With": "huigou", "Origin": site, "Referer": site + "/"})
        self.addresses: list[str] = []
        self.pages: list[bytes] = []

    def get(self, path: str, status: int = 200) -> requests.Response:
        return self._kept(self.session.get(self.site + path, timeout=30), status)

    def post(self, path: str, data: dict[str, Any], status: int = 200) -> requests.Response:
        token = self.session.cookies.get("csrftoken") or ""
        form = {**data, "csrfmiddlewaretoken": token}
        return self._kept(self.session.post(self.site + path, data=form, timeout=30), status)

    def call(self, path: str, data: dict[str, Any], status: int = 200) -> dict[str, Any]:
        return self._kept(self.session.post(self.site + path, json=data, timeout=30), status).json()

    def _kept(self, answer: requests.Response, status: int) -> requests.Response:
        assert answer.status_code == status, (answer.url, answer.status_code, answer.text[:2000])
        for step in (*answer.history, answer):
            self.addresses += [step.url, step.headers.get("Location", "")]
        self.pages.append(answer.content)
        return answer


@pytest.fixture
def platform(
    transactional_db: None, database_environment: dict[str, str], static_files: None, settings: Any, tmp_path: Path
) -> Iterator[tuple[str, Path]]:
    """Start web (with its access log) and worker as a deployment does; all that they write goes into one file."""
    settings.SMS_FILE_DIR = tmp_path / "sms"
    port, log = free_port(), tmp_path / "log"
    environment = {
        **database_environment,
        "LOG_FORMAT": "json",
        "SMS_BACKEND": "file",
        "SMS_FILE_DIR": str(settings.SMS_FILE_DIR),
        "MEDIA_ROOT": str(tmp_path / "media"),
        "PYTHONUNBUFFERED": "1",
        "WEB_THREADS": "4",
    }
    worker = [sys.executable, "-m", "celery", "-A", "huigou", "worker", "--pool", "solo", "--loglevel", "DEBUG"]
    with log.open("wb") as out, running(web(port, "--access-log"), environment, out), running(worker, environment, out):
        wait_for(f"{HOST}:{port}/readyz")
        yield f"{HOST}:{port}", log


def until(found: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait for what another process does."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return value


def code_for(phone: Phone, number: str, purpose: str) -> str:
    """Ask for a code over HTTP and read it where the worker's gateway put it."""
    before = len(file.messages_to(number))
    challenge = phone.get("/api/v1/challenge").json()
    phone.call("/api/v1/sms-codes", {"phone": number, "purpose": purpose, "altcha": solution(challenge)})
    return until(lambda: file.messages_to(number)[before:])[0]["params"]["code"]


def a_consumer_binds_and_draws(phone: Phone) -> int:
    """Bind (one wrong code, one code too soon, one name too short), draw, look around; return the coupon."""
    phone.get("/m/bind")
    code = code_for(phone, WANG, "consumer")
    challenge = phone.get("/api/v1/challenge").json()
    again = {"phone": WANG, "purpose": "consumer", "altcha": solution(challenge)}
    assert phone.call("/api/v1/sms-codes", again, 429)["code"] == "sms_too_soon"
    assert phone.call("/api/v1/sms-codes", again, 400)["code"] == "challenge_failed"
    form = {"name": NAME, "phone": WANG, "code": f"{(int(code) + 1) % 10**6:06d}", "consent": "1"}
    echoed = phone.post("/m/bind", form, 400)
    assert WANG in echoed.text  # a form gives back what was typed to whoever typed it, and to nobody else
    phone.pages.remove(echoed.content)
    phone.post("/m/bind", {**form, "code": code})
    phone.post("/m/privacy", {"do": "correct", "name": NAME})
    phone.post("/m/privacy", {"do": "correct", "name": "1"}, 400)
    assert WANG in phone.post("/m/privacy", {"do": "copy"}).text
    phone.pages.pop()  # the person's own copy
    drawn = phone.call("/api/v1/draws", {"category": "dining", "turn": 1})
    phone.call("/api/v1/draws", {"category": "nothing", "turn": 1}, 404)
    for path in (
        "/m/",
        "/m/coupons",
        "/m/merchants",
        "/m/privacy",
        "/m/draw/dining",
        f"/m/coupons/{drawn['coupon_id']}",
    ):
        phone.get(path)
    phone.get(f"/api/v1/coupons/{drawn['coupon_id']}/live")
    return drawn["coupon_id"]


def a_clerk_scans_and_enters(phone: Phone, once: str, coupon_id: int) -> None:
    """Bind, scan a wrong and a right short code, enter too little, then enough with a number in the note."""
    phone.get("/shop/bind")
    clerk = {"once": once, "name": "李店员", "phone": LI, "code": code_for(phone, LI, "clerk"), "consent": "1"}
    phone.post("/shop/bind", clerk)
    phone.call("/api/v1/scans", {"short_code": "00000000"}, 409)
    short = codes.show(coupon_id, clock.now()).short_code
    scan = phone.call("/api/v1/scans", {"short_code": short})
    phone.get(scan["url"])
    entry = {"amount": "1.00", "kind": "2", "note": f"顾客电话 {WANG[:3]}-{WANG[3:7]}-{WANG[7:]}"}
    done = f"/api/v1/redemptions/{Redemption.objects.get().pk}/complete"
    assert phone.call(done, entry, 409)["code"] == "under_threshold"
    phone.call(done, {**entry, "amount": "318.00"})
    for path in ("/shop/", "/shop/redemptions", "/shop/clerks", "/shop/me"):
        phone.get(path)


# What WeChat puts into the addresses by which it sends somebody back: the account, and a code that stands for it.
OPENID, GRANT = "oSECRETopenid0123456789abcde", "071SECRETgrant0123456789abcde"


def wechat_sends_back(phone: Phone) -> None:
    """Ask for the addresses as WeChat's answers do; nobody here asked it anything, so both lead nowhere."""
    asked = f"template_id=T&action=confirm&scene=1&openid={OPENID}&reserved=x"
    for path in (f"/m/wechat/subscribed?{asked}", f"/m/wechat/back?code={GRANT}&state=x"):
        answer = phone.session.get(phone.site + path, timeout=30, allow_redirects=False)
        assert answer.status_code < 500
        phone.addresses.append(answer.headers.get("Location", ""))
        phone.pages.append(answer.content)


def things_go_wrong(phone: Phone, log: Path, merchant_id: int) -> None:
    """Complain with somebody's number in the text, and meet a real 500: a sealed name that cannot be opened."""
    phone.get("/m/problem")
    phone.post("/m/problem", {"merchant": str(merchant_id), "text": f"店员 {LI} 不给用"})
    person_id = Person.objects.get(phone_last4=WANG[-4:]).pk
    kept = raw_name(person_id, b"\x01" + b"\x00" * 40)
    page = phone.get("/m/coupons", 500)
    assert "系统出了点问题" in page.text
    raw_name(person_id, kept)
    until(lambda: "InvalidTag" in log.read_text(errors="replace"))


def raw_name(person_id: int, value: bytes | None = None) -> bytes:
    """Return the sealed name of a person as it lies in the database, and replace it: a disk's fault, or a lost key."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM coupons_person WHERE id = %s", [person_id])
        kept = bytes(cursor.fetchone()[0])
        if value is not None:
            cursor.execute("UPDATE coupons_person SET name = %s WHERE id = %s", [value, person_id])
    return kept


def the_bureau_looks(desk: Phone) -> Path:
    """Sign in, search by number, look at a full number with a reason, export; return the exported file."""
    desk.get("/admin/login/")
    desk.post("/admin/login/?next=/admin/", {"username": "industry", "password": "invented-pass-1", "next": "/admin/"})
    for path in ("/admin/coupons/consumer/", "/admin/coupons/coupon/", "/admin/merchants/redemption/"):
        desk.get(path)
        desk.post(path, {"phone": WANG})
    consumer = Person.objects.get(phone_last4=WANG[-4:]).consumers.get().pk
    reveal = f"/admin/coupons/consumer/{consumer}/deed/reveal/"
    assert WANG in desk.post(reveal, {"reason": f"来电 {WANG} 反映未收到券"}).text
    desk.pages.pop()  # what was asked for, with a right, a reason and a row that stays
    desk.post("/admin/reports/exportjob/deed/ask/?kind=uses", {})
    job = until(lambda: ExportJob.objects.filter(state=ExportJob.State.READY).first())
    return Path(django_settings.MEDIA_ROOT) / job.file.name


@pytest.mark.django_db(transaction=True)
def test_a_day_leaves_no_number_anywhere(platform, settings, tmp_path):
    site, log = platform
    begun = {path: path.stat().st_size for path in (django_settings.VAR_DIR / "log").glob("*.log")}
    settings.MEDIA_ROOT = tmp_path / "media"
    county = factories.a_county(opens_at=clock.now() - dt.timedelta(hours=1))
    lifecycle.deal(county.rounds[0].pk)
    bureau = factories.a_staff("industry")
    shop = factories.a_merchant(county, name="乾安火锅店")
    CommitmentLetter.objects.create(
        merchant=shop, sha256="0" * 64, signed_on=clock.now().date(), recorded_by=bureau, recorded_at=clock.now()
    )
    once = binding.issue_code(shop.outlets.get(), bureau)
    wang, li, desk = (Phone(site) for _ in range(3))
    coupon_id = a_consumer_binds_and_draws(wang)
    a_clerk_scans_and_enters(li, once, coupon_id)
    wechat_sends_back(wang)
    things_go_wrong(wang, log, shop.pk)
    exported = the_bureau_looks(desk)

    assert Coupon.objects.get().state == Coupon.State.USED
    assert OutboxMessage.objects.filter(state=OutboxMessage.State.SENT).count() == 2
    assert AuditEntry.objects.count() >= 3
    assert Redemption.objects.get().note == "顾客电话 199****4321"
    written = log.read_bytes()
    assert b'"GET /m/coupons' in written or b"GET /m/coupons" in written  # the access log was really on
    assert b"/m/wechat/subscribed" in written
    assert b"coupons.send_message" in written  # and the worker said what it did
    assert_json_lines(written)
    workbook = zipfile.ZipFile(exported)
    addresses = [address for phone in (wang, li, desk) for address in phone.addresses]
    places = {
        "log": written,
        "servers' logs": b"".join(path.read_bytes()[size:] for path, size in begun.items()),
        "addresses": "\n".join(addresses).encode(),
        "pages": b"\n".join(page for phone in (wang, li, desk) for page in phone.pages),
        "redis": in_redis(),
        "sms files": b"".join(str(path).encode() + path.read_bytes() for path in (tmp_path / "sms").iterdir()),
        "export": exported.name.encode() + b"".join(workbook.read(name) for name in workbook.namelist()),
    }
    for table, rows in in_database().items():
        places[table] = rows + from_hex(rows)
    assert len(places["coupons_person"]) > 100
    assert b"199****4321" in places["reports_auditentry"]
    assert Complaint.objects.get().text == "店员 199****8765 不给用"
    for number in (WANG, LI):
        for form in forms_of(number):
            assert [place for place, text in places.items() if form in text] == []
    for secret in (NAME, OPENID, GRANT):
        assert [place for place, text in places.items() if secret.encode() in text] == []


def assert_json_lines(written: bytes) -> None:
    """Our own lines are fields: the 500 stands there with its traceback, its page and its request."""
    lines = [json.loads(line) for line in written.decode().splitlines() if line.startswith('{"')]
    [failed] = [line for line in lines if line.get("status_code") == 500]
    assert (failed["level"], failed["page"], failed["method"]) == ("error", "m/coupons", "GET")
    assert re.fullmatch(r"[0-9a-f]{8}", failed["request_id"])
    assert "InvalidTag" in failed["exception"]
