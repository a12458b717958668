"""The progress of an export and its file, with ranges so that a broken download goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse

from reports import exports
from reports.models import ExportJob

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BLOCK = 256 * 1024
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


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
    asked = _asked_range(request.headers.get("Range", ""), size)
    if asked is None or request.headers.get("If-Range", etag) != etag:
        whole = {**headers, "Content-Length": str(size)}
        return StreamingHttpResponse(_part(Path(job.file.path), 0, size), content_type=XLSX, headers=whole)
    start, end = asked
    if start >= end:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    headers |= {"Content-Range": f"bytes {start}-{end - 1}/{size}", "Content-Length": str(end - start)}
    return StreamingHttpResponse(
        _part(Path(job.file.path), start, end - start), status=206, content_type=XLSX, headers=headers
    )


def _asked_range(text: str, size: int) -> tuple[int, int] | None:
    """Return start and end (exclusive) of a range header; equal when nothing is there, None for no range at all."""
    found = _RANGE.fullmatch(text)
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return max(0, size - int(found[2])), size  # the last so many bytes
    if found[2] and int(found[2]) < int(found[1]):
        return None
    start = min(int(found[1]), size)
    return start, min(int(found[2]) + 1, size) if found[2] else size


def _part(path: Path, start: int, length: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while length > 0 and (block := file.read(min(BLOCK, length))):
            length -= len(block)
            yield block
