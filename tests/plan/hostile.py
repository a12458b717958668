"""Damaged, foreign and hostile workbooks: {what it is: (file name, bytes, the words that the refusal must hold)}."""

from __future__ import annotations

import io
import re
import struct
import warnings
import zipfile
from collections.abc import Callable

from tests.plan.make_second_county import SECOND_COUNTY
from tests.plan.workbooks import rezipped, with_sheet, workbook

SHEET, STRINGS, STYLES = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml"
GOOD = workbook(SECOND_COUNTY["附件1"])
FIRMS = workbook(SECOND_COUNTY["附件2"])
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
Case = tuple[str, bytes, tuple[str, ...]]


def swapped(path: str, change: Callable[[bytes], bytes], data: bytes = GOOD, **options: int) -> bytes:
    def one(parts: dict[str, bytes]) -> None:
        changed = change(parts[path])
        assert changed != parts[path], f"nothing was changed in {path}"
        parts[path] = changed

    return rezipped(data, one, **options)


def rows(made: str) -> Callable[[bytes], bytes]:
    """Return a change that puts other rows into a sheet."""
    return lambda body: re.sub(rb"<sheetData>.*</sheetData>", b"<sheetData>" + made.encode() + b"</sheetData>", body)


def doctype(declared: str) -> Callable[[bytes], bytes]:
    return lambda body: body.replace(b"<worksheet", declared.encode() + b"<worksheet", 1)


def cell(ref: str, xml: str) -> Callable[[bytes], bytes]:
    """Return a change that replaces one cell."""
    return lambda body: re.sub(rf'<c r="{ref}"[^>]*?(/>|>.*?</c>)'.encode(), xml.encode(), body, count=1)


def added(path: str, body: bytes) -> bytes:
    return rezipped(GOOD, lambda parts: parts.update({path: body}))


def twice() -> bytes:
    out = io.BytesIO(GOOD)
    with zipfile.ZipFile(out, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        archive.writestr(SHEET, b"<worksheet/>")
    return out.getvalue()


def lying(declared: int) -> bytes:
    """Return a workbook whose sheet unpacks to 50 MB and says that it has ``declared`` bytes."""
    data = bytearray(swapped(SHEET, lambda body: body.replace(b"<sheetData>", b"<sheetData>" + b" " * 50_000_000)))
    for signature, name_at, size_at in ((b"PK\x03\x04", 30, 22), (b"PK\x01\x02", 46, 24)):
        at = -1
        while (at := data.find(signature, at + 1)) >= 0:
            if data[at + name_at : at + name_at + len(SHEET)] == SHEET.encode():
                data[at + size_at : at + size_at + 4] = struct.pack("<I", declared)
    return bytes(data)


def encrypted() -> bytes:
    data = bytearray(GOOD)
    for signature, flags_at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := data.find(signature, at + 1)) >= 0:
            data[at + flags_at] |= 1
    return bytes(data)


def many_entries(count: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}", b"")
    return out.getvalue()


def nested() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("附件1.xlsx", GOOD)
    return out.getvalue()


def document() -> bytes:
    """Return what a .docx looks like from outside."""

    def change(parts: dict[str, bytes]) -> None:
        del parts["xl/workbook.xml"]
        parts["word/document.xml"] = b'<w:document xmlns:w="urn:w"><w:body/></w:document>'
        parts["_rels/.rels"] = parts["_rels/.rels"].replace(b"xl/workbook.xml", b"word/document.xml")

    return rezipped(GOOD, change)


def rows_of(book: str, change: Callable[[list[list[object]]], object]) -> bytes:
    plan = with_sheet(SECOND_COUNTY, book, book, lambda old: change(old) and None)
    return workbook(plan[book])


def entity_bomb() -> str:
    bomb = '<!ENTITY a "ha">' + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(12))
    return f"<!DOCTYPE worksheet [{bomb}]>"


LETTERS = [chr(65 + i // 26 - 1) * (i >= 26) + chr(65 + i % 26) for i in range(60)]
PADDED_XF = b'<cellXfs count="9">' + b'<xf numFmtId="164" applyNumberFormat="1"/>' * 150_000
LONG_CODE = f'<numFmt numFmtId="164" formatCode="{"[" * 5_000}"/>'.encode()


def cases() -> dict[str, Case]:
    file1, file2 = "附件1.xlsx", "附件2.xlsx"
    full_width = '<row r="{n}">' + "".join(f'<c r="{c}{{n}}"><v>1</v></c>' for c in LETTERS) + "</row>"
    return {
        # not a workbook at all
        "empty file": (file1, b"", ("文件是空的",)),
        "renamed csv": (file1, "面额,影院\n20,300\n".encode("gbk"), ("不是 .xlsx 工作簿",)),
        "web page": (file1, b"<html><table><tr><td>20</td></tr></table></html>", ("不是 .xlsx 工作簿",)),
        "old xls": ("附件1.xls", OLE + bytes(4096), ("旧版 .xls",)),
        "encrypted workbook": (file1, OLE + "EncryptedPackage".encode("utf-16-le") + bytes(4096), ("加了密码",)),
        "encrypted entries": (file1, encrypted(), ("加了密码",)),
        "word document": (file1, document(), ("不是 Excel 工作簿",)),
        "workbook in a zip": (file1, nested(), ("不是 Excel 工作簿",)),
        "cut in half": (file1, GOOD[: len(GOOD) // 2], ("文件不完整",)),
        "damaged bytes": (file1, GOOD[:2000] + bytes(200) + GOOD[2200:], ("文件已损坏",)),
        "something behind it": (file1, GOOD + b"\n" * 500, ("末尾有多余内容",)),
        "no sheet part": (file1, rezipped(GOOD, lambda parts: parts.pop(SHEET) and None), ("缺少部件",)),
        "broken xml": (file1, swapped(SHEET, lambda body: body[:-20]), ("文件已损坏",)),
        # bombs
        "zip bomb": (file1, swapped(SHEET, lambda body: body + b" " * 200_000_000), ("压缩比过高",)),
        "bomb that says it is small": (file1, lying(1_000), ("文件已损坏",)),
        "bomb in a part that nobody reads": (file1, added("xl/media/a.bin", bytes(100_000_000)), ("压缩比过高",)),
        "too large a file": (file1, GOOD + bytes(5_000_000), ("文件超过",)),
        "many entries": (file1, many_entries(40_000), ("内部条目过多",)),
        "duplicate entries": (file1, twice(), ("内部条目重复",)),
        "lzma with a large dictionary": (
            file1,
            swapped(SHEET, lambda body: body + b"\n", compression=zipfile.ZIP_LZMA),
            ("压缩方式",),
        ),
        "million blank rows": (
            file1,
            swapped(SHEET, rows("".join(f'<row r="{n}"/>' for n in range(1, 1_000_001)))),
            ("过大",),
        ),
        "rows up to the last one": (
            file1,
            swapped(SHEET, rows('<row r="1048576"><c r="A1048576"/></row>')),
            ("行数超过",),
        ),
        "cells without end": (
            file1,
            swapped(SHEET, rows("".join(full_width.replace("{n}", str(n)) for n in range(1, 1_200)))),
            ("单元格超过",),
        ),
        "elements without end": (
            file1,
            swapped(SHEET, rows('<row r="1"><c r="A1">' + "<x/>" * 450_000 + "</c></row>")),
            ("内容过多",),
        ),
        "attributes without end": (
            file1,
            swapped(SHEET, rows("<row " + " ".join(f'a{n}=""' for n in range(300_000)) + "/>")),
            ("内部结构异常",),
        ),
        "names without end": (
            file1,
            swapped(SHEET, rows('<row r="1">' + "".join(f"<n{n}/>" for n in range(200_000)) + "</row>")),
            ("内容过多",),
        ),
        "nested without end": (file1, swapped(SHEET, rows("<a>" * 100_000 + "</a>" * 100_000)), ("嵌套过深",)),
        "one text in every cell": (
            file1,
            swapped(
                SHEET,
                rows("".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 9_000))),
                swapped(STRINGS, lambda body: body.replace(b"<t>", b"<t>" + b"x" * 1_900, 1)),
            ),
            ("文字过多",),
        ),
        "styles without end": (
            file1,
            swapped(
                STYLES,
                lambda body: re.sub(rb"<cellXfs[^>]*>", LONG_CODE.join([b"", PADDED_XF]), body, count=1),
            ),
            (),
        ),
        "huge number of digits": (
            file1,
            swapped(SHEET, cell("B3", f'<c r="B3"><v>{"9" * 5_000}</v></c>')),
            ("附件1!B3", "的文字超过"),
        ),
        # XML that reaches out or multiplies
        "external entity": (
            file1,
            swapped(SHEET, doctype('<!DOCTYPE worksheet [<!ENTITY x SYSTEM "file:///etc/passwd">]>')),
            ("DOCTYPE",),
        ),
        "entity bomb": (file1, swapped(SHEET, doctype(entity_bomb())), ("DOCTYPE",)),
        "doctype in a part that nobody reads": (
            file1,
            added("xl/comments.xml", b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/"><a/>'),
            ("DOCTYPE",),
        ),
        "doctype in utf-16": (
            file1,
            swapped(
                SHEET,
                lambda body: (
                    body.replace(body[: body.index(b"?>") + 2], b"<!DOCTYPE worksheet []>").decode().encode("utf-16")
                ),
            ),
            ("DOCTYPE",),
        ),
        "another encoding": (file1, swapped(SHEET, lambda body: body.replace(b"UTF-8", b"cp037", 1)), ("编码",)),
        # what stands in cells
        "formula": (file1, swapped(SHEET, cell("B3", '<c r="B3"><f>150*2</f><v>300</v></c>')), ("附件1!B3", "公式")),
        "formula that calls out": (
            file1,
            swapped(SHEET, cell("B3", '<c r="B3" t="str"><f>WEBSERVICE("http://127.0.0.1")</f><v>1</v></c>')),
            ("附件1!B3", "公式"),
        ),
        "error value": (
            file1,
            swapped(SHEET, cell("B3", '<c r="B3" t="e"><v>#REF!</v></c>')),
            ("附件1!B3", "错误值 #REF!"),
        ),
        "infinite number": (file1, swapped(SHEET, cell("B3", '<c r="B3"><v>1e999</v></c>')), ("附件1!B3", "无法读取")),
        "text that is not there": (
            file1,
            swapped(SHEET, cell("B3", '<c r="B3" t="s"><v>9999</v></c>')),
            ("附件1!B3", "无法读取"),
        ),
        "cell with no such place": (file1, swapped(SHEET, cell("B3", '<c r="ZZZZ3"><v>1</v></c>')), ("单元格编号",)),
        "number far to the right": (
            file1,
            swapped(SHEET, lambda body: body.replace(b"</row>", b'<c r="XFD1"><v>7</v></c></row>', 1)),
            ("附件1!XFD1", "列数超过"),
        ),
        "huge text": (
            file1,
            rows_of("附件1", lambda r: r[0].__setitem__(0, "万" * 10_000)),
            ("附件1!A1", "的文字超过"),
        ),
        "control characters": (
            file2,
            swapped(SHEET, cell("C3", '<c r="C3" t="inlineStr"><is><t>影_x0007_城</t></is></c>'), FIRMS),
            ("附件2!C3", "控制字符"),
        ),
        "name that reads backwards": (
            file2,
            rows_of("附件2", lambda r: r[2].__setitem__(2, "影\u202e城")),
            ("附件2!C3", "控制字符"),
        ),
        "macros": (file1, added("xl/vbaProject.bin", OLE), ("含有宏",)),
        # a workbook, but not this plan's
        "wrong sheets": (
            "活动设置.xlsx",
            workbook({"表一": [["项目", "内容"]], "表二": [["代码"]]}),
            ("没有名为“设置”的工作表", "没有名为“品类”的工作表"),
        ),
        "wrong workbook": (file1, FIRMS, ("附件2!A1", "找不到列：面额")),
        "missing column": (file2, rows_of("附件2", lambda r: r[1].__setitem__(2, "地点")), ("附件2!A1", "企业名称")),
        "blank sheet": (file1, workbook({"附件1": []}), ("附件1!A1", "找不到列：面额")),
        "negative count": (file1, rows_of("附件1", lambda r: r[2].__setitem__(1, -300)), ("附件1!B3", "-300")),
        "fraction": (file1, rows_of("附件1", lambda r: r[2].__setitem__(1, 300.5)), ("附件1!B3", "不是整数")),
        "count in words": (file1, rows_of("附件1", lambda r: r[2].__setitem__(1, "三百")), ("附件1!B3", "不是整数")),
        "absurd count": (file1, rows_of("附件1", lambda r: r[2].__setitem__(1, 10**12)), ("附件1!B3", "不在")),
        "unknown category": (file1, rows_of("附件1", lambda r: r[1].__setitem__(1, "麻将馆")), ("附件1!B2", "麻将馆")),
        "face twice": (file1, rows_of("附件1", lambda r: r[3].__setitem__(0, 20)), ("附件1!A4", "重复")),
    }
