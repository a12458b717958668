"""The pages in a real Chromium: the whole walk, lost answers, taps, keyboards and narrow screens."""

from __future__ import annotations

import io
import itertools
import time

import pytest
import zxingcpp
from PIL import Image

from coupons import consumers, lifecycle
from coupons.models import Consumer, Coupon, Draw
from merchants import binding
from merchants.models import BindingCode, CommitmentLetter, Redemption
from tests import factories
from tests.chromium import PHONE
from tests.serving import Site

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def address(site: Site) -> str:
    """Return the address of a real web server on the test's database."""
    return site.url


@pytest.fixture
def phone(browser, address):  # type: ignore[no-untyped-def]
    """Return a way to open pages on a phone of somebody; any script error or broken policy fails the test."""
    contexts, troubles = [], []

    def open_phone(*people, **options):  # type: ignore[no-untyped-def]
        context = browser.new_context(viewport=PHONE, locale="zh-CN", **options)
        contexts.append(context)
        for who in people:
            module = consumers if isinstance(who, Consumer) else binding
            context.add_cookies([{"name": module.COOKIE, "value": module.cookie_of(who), "url": address}])
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda m: troubles.append(m.text) if "Content Security Policy" in m.text else None)
        return page

    yield open_phone
    for context in contexts:
        context.close()
    assert troubles == []


def bind(page, phone_number: str, name: str = "王小明") -> None:  # type: ignore[no-untyped-def]
    """Fill name, phone and the code that the demonstration shows."""
    page.fill("[name=name]", name)
    page.fill("[name=phone]", phone_number)
    page.click("[data-send-code]")
    page.wait_for_selector("[data-demo]:not([hidden])")
    page.fill("[name=code]", page.inner_text("[data-demo-code]"))
    page.check("[name=consent]")


def type_in(page, text: str) -> int:  # type: ignore[no-untyped-def]
    """Type into whatever has the focus, \\b as the key that takes a sign back; return how many signs."""
    for sign in text:
        page.keyboard.press("Backspace" if sign == "\b" else sign)
    return len(text)


def bind_by_finger(page, fields: dict[str, str]) -> int:  # type: ignore[no-untyped-def]
    """Bind a clerk as a finger does it: touch a field, type; return how many signs were typed."""
    typed = 0
    for name, value in fields.items():
        page.tap(f"[name={name}]")
        page.keyboard.insert_text(value)
        typed += len(value)
    page.tap("[data-send-code]")
    page.wait_for_selector("[data-demo]:not([hidden])")
    typed += type_in(page, page.inner_text("[data-demo-code]"))  # its field has the focus by itself
    page.tap("[name=consent]")
    page.tap("button.btn-big")
    return typed


# Every touch of a finger, over the pages that it leads to; what a script clicks is none.
COUNT_TAPS = """addEventListener("pointerdown", (e) => {
  if (e.isTrusted) sessionStorage.taps = Number(sessionStorage.taps || 0) + 1;
}, true)"""


def taps(page) -> int:  # type: ignore[no-untyped-def]
    """Return how often the page and those before it were touched since this was last asked."""
    return page.evaluate("[Number(sessionStorage.taps || 0), sessionStorage.removeItem('taps')][0]")


# Slowly done: a tap with finding its target, a sign typed on glass, and the text's way, in seconds.
TAP_S, SIGN_S, TEXT_S = 2, 0.8, 12


def shown_sector(page, count: int) -> int:  # type: ignore[no-untyped-def]
    """Return which sector the pointer really stands on, from the wheel's angle."""
    angle = page.evaluate(
        "() => Number(document.querySelector('[data-wheel] svg g').style.transform.match(/rotate\\((.*)deg/)[1])"
    )
    return round(((360 - angle) % 360) / (360 / count)) % count


def test_the_whole_walk_from_binding_to_a_finished_redemption(county, shop, address, phone):
    outlet, bureau = shop.outlets.get(), factories.a_staff("industry")
    CommitmentLetter.objects.create(
        merchant=shop,
        file="letter.pdf",
        sha256="0" * 64,
        signed_on="2022-06-23",
        recorded_by=bureau,
        recorded_at=county.rounds[0].opens_at,
    )
    code = binding.issue_code(outlet, bureau, is_owner=True)
    clerk, citizen = phone(has_touch=True), phone()
    clerk.add_init_script(COUNT_TAPS)
    clerk.goto(f"{address}/shop/")
    typed = bind_by_finger(clerk, {"once": code.replace("-", ""), "name": "李店员", "phone": "19900002001"})
    clerk.wait_for_selector("[data-open-camera]")
    assert BindingCode.objects.get(outlet=outlet).used_at is not None
    # Bound within a minute: so many touches, so many signs and a text on its way take less, slowly done.
    touched = taps(clerk)
    assert (touched, typed) == (6, 32)
    assert touched * TAP_S + typed * SIGN_S + TEXT_S < 60

    citizen.goto(f"{address}/m/draw/dining")
    citizen.click("text=去绑定")
    bind(citizen, "19900002002")
    citizen.click("button.btn-big")
    citizen.click("[data-go]")
    citizen.click("[data-skip]")
    citizen.wait_for_selector("[data-landed]")
    coupon = Coupon.objects.get()
    assert citizen.inner_text("[data-say]").startswith("恭喜，抽中 100 元餐饮消费券")
    assert citizen.text_content("[data-prize] [data-r=receipt]") == bytes(coupon.draw.entry_hash).hex()
    citizen.click("[data-prize] a[data-r=url]")
    citizen.wait_for_selector("[data-qr] path[d^=M]", state="attached")
    [read] = zxingcpp.read_barcodes(Image.open(io.BytesIO(citizen.screenshot())))

    # From the scanned link to the end in three taps: accept, the kind, submit. The amount waits for its figures.
    clerk.goto(read.text)
    clerk.tap("text=收下这张券")
    clerk.wait_for_selector("[data-entry]")
    scanned = time.monotonic()
    citizen.wait_for_selector("[data-when=pending]:not([hidden])")
    assert time.monotonic() - scanned < 2.5
    amount = clerk.locator(":focus")
    assert [amount.get_attribute(name) for name in ("name", "inputmode")] == ["amount", "decimal"]
    said = [clerk.inner_text("[data-sum]").split()]
    for figures in ("28", "0", "\b\b\b318.5"):
        type_in(clerk, figures)
        said.append(clerk.inner_text("[data-sum]").split())
    assert said == [
        ["至少", "300", "元才能用这张券"],
        ["还差", "272", "元，须满", "300", "元"],
        ["还差", "20", "元，须满", "300", "元"],
        ["顾客还需支付", "218.50", "元"],
    ]
    kinds = [clerk.locator("[data-kind] label").nth(n).bounding_box() for n in range(8)]
    assert min(box["height"] for box in kinds) >= 48
    assert min(box["width"] for box in kinds) >= 72
    clerk.tap("text=3 人")
    clerk.tap("[data-submit]")
    clerk.wait_for_selector("text=核销完成")
    assert taps(clerk) == 3
    citizen.wait_for_selector("[data-when=used]:not([hidden])")
    redemption = Redemption.objects.get()
    assert (redemption.amount_fen, redemption.kind, redemption.state) == (31_850, "3", "used")


def test_a_lost_answer_is_asked_for_again_and_nothing_is_drawn_twice(county, wang, address, phone):
    page, posts, line = phone(wang, reduced_motion="reduce"), [], {"dead": True}

    def lose(route) -> None:  # type: ignore[no-untyped-def]
        # At least twice, and until what the page says meanwhile has been seen: on a busy machine it is soon gone.
        posts.append((route.request.url, route.request.headers["idempotency-key"]))
        if len(posts) > 2 and not line["dead"]:
            route.continue_()
            return
        route.fetch()
        route.abort()

    page.route("**/api/v1/draws?*", lose)
    page.goto(f"{address}/m/draw/dining")
    page.dblclick("[data-go]")
    page.wait_for_selector("text=正在确认")
    assert "失败" not in page.inner_text("main")
    line["dead"] = False
    page.wait_for_selector("[data-prize]:not([hidden])", timeout=20_000)
    assert len(posts) >= 3
    assert len(set(posts)) == 1
    assert Draw.objects.count() == 1


def test_a_reload_in_the_middle_shows_the_same_answer(county, wang, address, phone):
    page = phone(wang)
    page.route("**/api/v1/draws?*", lambda route: (route.fetch(), route.abort()))
    page.goto(f"{address}/m/draw/dining")
    page.click("[data-go]")
    page.wait_for_selector("text=正在确认")
    page.unroute("**/api/v1/draws?*")
    page.reload()
    page.wait_for_selector("[data-prize]:not([hidden])")
    assert Draw.objects.count() == 1


FACES = [20, 50, 80, 100, 120, 150, 180, 200, 250, 300, 400, 500]
WHEELS = {"book": 1, "fuel": 2, "dining": 5, "lodging": 12}  # {category: sectors}


def test_the_wheel_stands_on_the_answers_sector(at, address, phone):
    at("2022-06-25 08:30")
    county = factories.a_county({(name, face): 6 for name, count in WHEELS.items() for face in FACES[:count]})
    lifecycle.deal(county.rounds[0].pk)
    at("2022-06-25 09:05")
    for consumer, (name, count) in itertools.product((factories.a_consumer(), factories.a_consumer()), WHEELS.items()):
        page, faces = phone(consumer), FACES[:count]
        page.goto(f"{address}/m/draw/{name}")
        assert page.locator("[data-wheel] .sector").count() == count
        page.click("[data-go]")
        page.wait_for_selector("[data-skip]:not([hidden])")
        page.click("[data-skip]")
        page.wait_for_selector("[data-prize]:not([hidden])")
        sector = faces.index(int(page.inner_text("[data-prize] [data-r=face]")))
        assert shown_sector(page, count) == sector
        assert page.get_attribute("[data-wheel]", "data-landed") == str(sector)
        page.reload()
        assert shown_sector(page, count) == sector


def test_reduced_motion_and_keyboard_alone_get_the_result_as_text(county, wang, address, phone):
    page = phone(wang, reduced_motion="reduce")
    page.goto(f"{address}/m/draw/dining")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.hasAttribute('data-go')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-prize]:not([hidden])", timeout=2_000)
    assert page.locator("[data-skip]").is_hidden()
    assert "恭喜，抽中 100 元" in page.locator("[aria-live=polite]").inner_text()
    assert page.evaluate("document.activeElement.hasAttribute('data-prize')")


def test_an_entry_outlives_a_dead_line_and_is_booked_once(county, wang, li, address, phone):
    scan = factories.scanned(factories.drawn(county, wang), li)
    page = phone(li)
    page.goto(f"{address}/shop/redemptions/{scan.pk}")
    page.fill("[name=amount]", "640")
    page.click("text=2 人")
    page.context.set_offline(True)
    page.dblclick("[data-submit]")
    page.wait_for_selector("text=已保存在本机")
    page.context.set_offline(False)
    page.wait_for_selector("text=核销完成")
    scan.refresh_from_db()
    assert (scan.amount_fen, scan.coupon.steps) == (64_000, 3)
    page.go_back()
    page.goto(f"{address}/shop/redemptions/{scan.pk}")
    assert page.url.endswith("/done")


def test_a_draft_outlives_a_reload(county, wang, li, address, phone):
    scan = factories.scanned(factories.drawn(county, wang), li)
    page = phone(li)
    page.goto(f"{address}/shop/redemptions/{scan.pk}")
    page.fill("[name=amount]", "777")
    page.reload()
    assert page.input_value("[name=amount]") == "777"


def test_large_print_is_remembered_and_paper_has_no_chrome(county, wang, address, phone):
    page = phone(wang)
    page.goto(f"{address}/m/")
    page.click("[data-large-switch]")
    page.goto(f"{address}/m/rules")
    assert page.locator("html[data-large]").count() == 1
    chrome = page.locator(".topbar, .tabbar, main .btn")
    assert any(each.is_visible() for each in chrome.all())
    page.emulate_media(media="print")
    assert [each.is_visible() for each in chrome.all()] == [False] * chrome.count()
    assert page.get_by_role("heading", level=1).is_visible()


def test_home_weighs_less_than_60_kb_and_its_scripts_less_than_20(county, address, phone):
    page, sizes = phone(), {}
    tools = page.context.new_cdp_session(page)
    tools.send("Network.enable")
    urls: dict[str, str] = {}
    tools.on("Network.responseReceived", lambda event: urls.update({event["requestId"]: event["response"]["url"]}))
    # Bytes as they came over the wire, heads included, compressed as a deployment sends them.
    tools.on(
        "Network.loadingFinished", lambda event: sizes.update({event["requestId"]: int(event["encodedDataLength"])})
    )
    page.goto(f"{address}/m/", wait_until="networkidle")
    scripts = sum(size for request, size in sizes.items() if ".js" in urls[request])
    assert 0 < scripts < 20 * 1024
    assert scripts < sum(sizes.values()) < 60 * 1024
