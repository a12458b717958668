"""The progress of an export and its file, with ranges so that a broken download goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse

from reports import exports
from reports.models import ExportJob

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BLOCK = 256 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def progress_json(job: ExportJob) -> JsonResponse:
    """Return how far an export is."""
    done, total = exports.progress(job)
    is_over = job.state in (ExportJob.State.READY, ExportJob.State.FAILED)
    words = f"{job.get_state_display()}：{done} / {total} 行" if total else f"{job.get_state_display()}…"
    return JsonResponse(
        {"state": job.state, "rows_done": done, "rows_total": total, "is_over": is_over, "words": words},
        headers={"Cache-Control": "no-store"},
    )


def download(request: HttpRequest, job: ExportJob) -> HttpResponse | StreamingHttpResponse:
    """Return the workbook, whole or the asked-for range (RFC 9110, one range, validated by ETag)."""
    if job.state != ExportJob.State.READY or not job.file or not job.file.storage.exists(job.file.name):
        raise Http404
    size, etag = job.file.size, f'"{job.pk}-{job.rows_sha256[:32]}"'
    headers = {
        "Content-Disposition": f'attachment; filename="huigou-{job.kind}-{job.pk}.xlsx"',
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Cache-Control": "private, no-store",
    }
    asked = _RANGE.fullmatch(request.headers.get("Range", ""))
    if asked is None or request.headers.get("If-Range", etag) != etag:
        whole = {**headers, "Content-Length": str(size)}
        return StreamingHttpResponse(_part(job.file.open("rb"), 0, size), content_type=XLSX, headers=whole)
    first, last = asked[1], asked[2]
    start = int(first) if first else max(0, size - int(last or 0))
    end = min(int(last), size - 1) if first and last else size - 1
    if start > end or start >= size:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    headers |= {"Content-Range": f"bytes {start}-{end}/{size}", "Content-Length": str(end - start + 1)}
    return StreamingHttpResponse(
        _part(job.file.open("rb"), start, end - start + 1), status=206, content_type=XLSX, headers=headers
    )


def _part(file: BinaryIO, start: int, length: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while length > 0 and (block := file.read(min(BLOCK, length))):
            length -= len(block)
            yield block
