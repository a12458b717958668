"""The judge of accessibility sees what it is there to see, on a page with the strict policy too."""

from __future__ import annotations

from tests.axe import OF_COLOURS, axe
from tests.chromium import Opener

PAGE = """<!doctype html><html lang="zh-CN"><head><title>页</title>
<meta http-equiv="Content-Security-Policy" content="script-src 'none'"></head>
<body><main><h1>页</h1>{}</main></body></html>"""


def test_axe_names_a_button_without_a_name_and_nothing_on_a_sound_page(opened: Opener) -> None:
    page = opened().new_page()
    page.set_content(PAGE.format("<button></button>"))
    assert [(one.rule, one.impact) for one in axe(page)] == [("button-name", "critical")]
    page.set_content(PAGE.format("<button>搜索</button>"))
    assert axe(page) == []


def test_the_rules_of_colours_alone_see_what_is_pale_in_the_dark(opened: Opener) -> None:
    page = opened(color_scheme="dark").new_page()
    style = "<style>@media (prefers-color-scheme: dark) { body { color: #555; background: #333 } }</style>"
    page.set_content(PAGE.format(style + "<p>这里有字</p><button></button>"))
    assert sorted({one.rule for one in axe(page)}) == ["button-name", "color-contrast"]
    assert {one.rule for one in axe(page, rules=OF_COLOURS)} == {"color-contrast"}
    page.emulate_media(color_scheme="light")
    assert axe(page, rules=OF_COLOURS) == []
