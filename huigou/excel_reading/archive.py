"""The zip file of a workbook, judged before anything of it is unpacked."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

from huigou.excel_reading.bounds import (
    MAX_ENTRIES,
    MAX_ENTRY_NAMES_BYTES,
    MAX_FILE_BYTES,
    MAX_PART_BYTES,
    MAX_RATIO,
    MAX_UNPACKED_BYTES,
    RATIO_COUNTS_FROM_BYTES,
    Bad,
    shown,
)

_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_END_OF_ARCHIVE = b"PK\x05\x06"
_END_BYTES = 22


def bytes_of(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        data = source
    else:
        if not source.is_file():
            raise Bad("找不到文件")
        try:
            with source.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError as unreadable:
            raise Bad("文件打不开") from unreadable
    if len(data) > MAX_FILE_BYTES:
        raise Bad(f"文件超过 {MAX_FILE_BYTES // 1_000_000} MB")
    return data


class Archive:
    """The zip file, judged before anything of it is unpacked."""

    def __init__(self, data: bytes) -> None:
        if not data:
            raise Bad("文件是空的")
        if data.startswith(_OLD_EXCEL):
            raise Bad("是旧版 .xls 或加了密码的文件")
        if not data.startswith(b"PK"):
            raise Bad("不是 .xlsx 工作簿（可能是改了扩展名的 csv、网页或其他文件）")
        # The list of entries is itself read whole by zipfile, so its size is judged before.
        end = data[-_END_BYTES:]
        if not end.startswith(_END_OF_ARCHIVE) or data[-_END_BYTES - 20 :].startswith(b"PK\x06\x07"):
            raise Bad("文件不完整或末尾有多余内容")
        if int.from_bytes(end[12:16], "little") > MAX_ENTRY_NAMES_BYTES:
            raise Bad("内部条目过多")
        try:
            self.zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as damaged:
            raise Bad("文件已损坏") from damaged
        self.entries = {entry.filename: entry for entry in self.zip.infolist()}
        self._judge(self.zip.infolist())

    def _judge(self, entries: list[zipfile.ZipInfo]) -> None:
        if len(entries) > MAX_ENTRIES:
            raise Bad("内部条目过多")
        if len({entry.filename.lower() for entry in entries}) != len(entries):
            raise Bad("内部条目重复")
        for entry in entries:
            if entry.flag_bits & 0x1:
                raise Bad("文件加了密码")
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Bad("压缩方式不是工作簿所用的")
            if entry.file_size > max(RATIO_COUNTS_FROM_BYTES, MAX_RATIO * entry.compress_size):
                raise Bad("压缩比过高（可能是压缩炸弹或大量空行）")
            if "vbaproject" in entry.filename.lower():
                raise Bad("含有宏")
        if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
            raise Bad("内容解开后过大")

    def read(self, path: str) -> bytes:
        """Return a part, unpacked no further than MAX_PART_BYTES."""
        entry = self.entries.get(path)
        if entry is None:
            raise Bad(f"缺少部件 {shown(path, 60)}")
        try:
            with self.zip.open(entry) as part:
                # What the entry declares is only a promise, so the bound is on what comes out.
                data = part.read(MAX_PART_BYTES + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as damaged:
            raise Bad(f"文件已损坏（{shown(path, 60)}）") from damaged
        if len(data) > MAX_PART_BYTES:
            raise Bad("内容解开后过大（空行过多或是压缩炸弹）")
        return data
