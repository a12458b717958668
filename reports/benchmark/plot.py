"""Draw the figures as bars, in one SVG file without a script."""

from __future__ import annotations

from html import escape
from typing import Any

from reports.benchmark.figures import CEILING, NAMES, VERDICTS

WIDTH, LEFT, BAR, GAP, TOP = 1000, 430, 18, 8, 64
INK, QUIET, OURS, OTHERS, PAPER = "#1f2933", "#5f6c7b", "#c8321f", "#9aa5b1", "#ffffff"
FONT = "font-family=\"'Noto Sans CJK SC','PingFang SC','Microsoft YaHei',sans-serif\""


def draw(result: dict[str, Any]) -> str:
    """Return an SVG with one bar a row, longest at 64 clients, and the ratios below."""
    order = list(NAMES)
    rows = sorted(result["rows"], key=lambda row: (order.index(row["row"]), row["clients"]))
    most = max(row["per_s"] for row in rows)
    machine = result["machine"]
    parts = [_text(16, 26, "抽奖与上限：每秒次数（同一次运行，同一台机器）", size=18)]
    about = f"{machine['at'][:10]} · {machine['processor']} · {machine['cores']} 核 · PostgreSQL "
    about += f"{machine['postgresql']['server_version']} · fsync 与 synchronous_commit "
    parts.append(_text(16, 48, about + ("开启" if machine["durable"] else "未全开启"), size=12, fill=QUIET))
    y = TOP
    for row in rows:
        ours = "draw" in row["row"] or row["row"].startswith("sql") or "home" in row["row"] or "sold" in row["row"]
        width = max(1, (WIDTH - LEFT - 220) * row["per_s"] / most)
        label = f"{NAMES[row['row']]} · {row['clients']}"
        parts.append(_text(LEFT - 8, y + 14, label, size=12, anchor="end"))
        fill = OURS if ours and row["row"] != CEILING else OTHERS
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{fill}"/>')
        figure = f"{row['per_s']:,.0f}　p50 {row['p50_ms']:.1f}　p99 {row['p99_ms']:.1f} 毫秒"
        parts.append(_text(LEFT + width + 6, y + 14, figure, size=12, fill=QUIET))
        y += BAR + GAP
    y += 24
    for check in result["checks"]:
        text = f"{check['name']}：{check['value']:.2f}（目标 {check['goal']:g}，底线 {check['floor']:g}）"
        parts.append(_text(16, y, f"{text} {VERDICTS[check['verdict']]}", size=12))
        y += 20
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" {FONT}>',
            f'<rect width="{WIDTH}" height="{y}" fill="{PAPER}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _text(x: float, y: float, text: str, *, size: int, fill: str = INK, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}">{escape(text)}</text>'
    )
