"""The judge of accessibility sees what it is there to see, on a page with the strict policy too."""

from __future__ import annotations

from tests.axe import axe
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
