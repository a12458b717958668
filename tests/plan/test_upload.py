"""Hostile workbooks through the real upload pages of a real web process: refused within 2 s and 64 MB each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from coupons.models import Campaign
from merchants.models import Merchant
from tests import factories
from tests.plan.hostile import cases
from tests.plan.make_second_county import SECOND_COUNTY
from tests.plan.test_hostile import MAX_GROWTH_KB, READ_ALL_THE_SAME
from tests.plan.workbooks import workbook
from tests.serving import Site

MAX_S = 2
FIELDS = {"活动设置": "settings", "活动时间": "times", "附件1": "annex1", "附件2": "annex2"}
IMPORT, HAND_IN = "/admin/merchants/merchant/import/", "/admin/merchants/merchant/plan/"


class Desk:
    """工信局's browser at a real web process, and what that process uses."""

    def __init__(self, site: Site) -> None:
        self.url = site.url
        self.browser = requests.Session()
        staff = factories.a_staff("industry")
        session = SessionStore()
        session[SESSION_KEY], session[HASH_SESSION_KEY] = str(staff.pk), staff.get_session_auth_hash()
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session.create()
        self.browser.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
        port = site.url.rpartition(":")[2]
        server = next(p for p in psutil.process_iter(["cmdline"]) if port in (p.info["cmdline"] or []))
        self.workers = [p for p in (server, *server.children(recursive=True)) if p.is_running()]

    def post(self, path: str, files: dict[str, tuple[str, bytes]]) -> Answer:
        page = self.browser.get(self.url + path, timeout=30).text
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
        before = [Use.of(process) for process in self.workers]
        answer = self.browser.post(self.url + path, {"csrfmiddlewaretoken": token}, files=files, timeout=60)
        after = [Use.of(process, is_fresh=False) for process in self.workers]
        return Answer(
            answer,
            sum(b.cpu_s - a.cpu_s for a, b in zip(before, after, strict=True)),
            sum(max(0, b.peak_kb - a.now_kb) for a, b in zip(before, after, strict=True)),
        )


@dataclass
class Answer:
    http: requests.Response
    cpu_s: float
    grown_kb: int


@dataclass
class Use:
    """Processor seconds of a process, its memory now and at its peak."""

    cpu_s: float
    now_kb: int
    peak_kb: int

    @classmethod
    def of(cls, process: psutil.Process, *, is_fresh: bool = True) -> Use:
        folder = Path(f"/proc/{process.pid}")
        if is_fresh:
            (folder / "clear_refs").write_text("5")  # the peak counts from here
        said = (folder / "status").read_text()
        now, peak = (int(re.search(rf"{name}:\s+(\d+)", said)[1]) for name in ("VmRSS", "VmHWM"))
        times = process.cpu_times()
        return cls(times.user + times.system, now, peak)


def test_every_hostile_workbook_is_refused_on_both_upload_pages(site: Site) -> None:
    factories.a_county(launched=True)
    desk = Desk(site)
    good = {FIELDS[book]: (f"{book}.xlsx", workbook(sheets)) for book, sheets in SECOND_COUNTY.items()}
    assert "/plan/" in desk.post(HAND_IN, good).http.url  # the way works, and has everything imported
    desk.post(IMPORT, {"file": good["annex2"]})
    worst_s = worst_kb = refused = 0.0
    for kind, (file, data, _) in cases().items():
        field = FIELDS[re.match(r"活动设置|活动时间|附件1|附件2", file)[0]]
        for path, files in ((HAND_IN, {**good, field: (file, data)}), (IMPORT, {"file": (file, data)})):
            answer = desk.post(path, files)
            worst_s, worst_kb = max(worst_s, answer.cpu_s), max(worst_kb, answer.grown_kb)
            assert answer.http.status_code == 200, (kind, path)
            assert answer.cpu_s < MAX_S, (kind, path)
            assert answer.grown_kb < MAX_GROWTH_KB, (kind, path)
            if path == HAND_IN and kind not in READ_ALL_THE_SAME:
                assert answer.http.url.endswith(HAND_IN), kind
                page = answer.http.text
                assert 'role="alert"' in page or "desk-error" in page, kind
                refused += 1
            if path == IMPORT:
                assert "确认导入" not in answer.http.text, kind
                assert re.search("desk-refused|desk-error", answer.http.text), kind
    assert refused >= 50
    assert Campaign.objects.count() == 1
    assert not Merchant.objects.exists()
    print(f"worst: {worst_s:.2f} s of processor, {worst_kb / 1024:.0f} MB")  # noqa: T201
