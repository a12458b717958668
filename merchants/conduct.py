"""A firm's standing, its letters, inspections and complaints (plan clauses 6.4 and 7): each step with a reason."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from huigou import clock
from huigou.errors import BAD_INPUT
from huigou.models import Staff
from merchants import errors
from merchants.models import (
    BindingCode,
    CommitmentLetter,
    Complaint,
    Inspection,
    InspectionPhoto,
    Merchant,
    Sanction,
)

MAX_LETTER_BYTES = 20 * 1024 * 1024  # a scan of a few pages
LETTER_KINDS = {b"%PDF": "pdf", b"\xff\xd8\xff": "jpg", b"\x89PNG": "png"}
MAX_PHOTOS = 9
MAX_PHOTO_BYTES = 12 * 1024 * 1024


def set_state(merchant_id: int, state: str, reason: str, staff: Staff) -> Merchant:
    """Change a firm's standing and keep why; the public status page shows it at once.

    Raises BAD_INPUT without a reason or for a state there is none of, SAME_STATE, LETTER_NEEDED for a firm that
    would take part without a letter of commitment, COLLECTIVE_NEEDS_SITES for a collective without stations.
    """
    if state not in Merchant.State.values:
        raise BAD_INPUT(what="状态")
    if not reason.strip():
        raise BAD_INPUT(what="理由")
    with transaction.atomic():
        merchant = Merchant.objects.select_for_update().get(pk=merchant_id)
        if merchant.state == state:
            raise errors.SAME_STATE(merchant=merchant.name, state=merchant.get_state_display())
        if state == Merchant.State.ACTIVE:
            _refuse_unready(merchant)
        merchant.state, merchant.state_reason = state, reason.strip()
        if state == Merchant.State.ACTIVE:
            merchant.state_reason = ""
        merchant.save(update_fields=["state", "state_reason"])
        Sanction.objects.create(merchant=merchant, state=state, reason=reason.strip(), staff=staff, at=clock.now())
        if state in (Merchant.State.BLACKLISTED, Merchant.State.LEFT):
            # Nobody binds anew for a firm that is out.
            open_codes = BindingCode.objects.filter(outlet__merchant=merchant, used_at=None, revoked_at=None)
            open_codes.update(revoked_at=clock.now(), code=None)
    return merchant


def _refuse_unready(merchant: Merchant) -> None:
    refuse_without_letter(merchant)
    if merchant.is_collective and not merchant.outlets.exclude(name=merchant.name).exists():
        raise errors.COLLECTIVE_NEEDS_SITES(merchant=merchant.name)


def refuse_without_letter(merchant: Merchant) -> None:
    """Raise LETTER_NEEDED for a firm without a letter of commitment: no code of it is issued, shown or printed."""
    if not merchant.letters.exists():
        raise errors.LETTER_NEEDED(merchant=merchant.name)


def record_letter(
    merchant: Merchant, file: UploadedFile, signed_on: dt.date, version: str, staff: Staff
) -> CommitmentLetter:
    """Keep a signed letter of commitment with its hash; a PDF or a picture, by its content, up to 20 MB.

    Raises LETTER_KIND, BAD_INPUT for a day that has not come.
    """
    start = file.read(8)
    kind = next((name for magic, name in LETTER_KINDS.items() if start.startswith(magic)), "")
    if not kind or (file.size or 0) > MAX_LETTER_BYTES:
        raise errors.LETTER_KIND()
    now = clock.now()
    if signed_on > now.date() or not clock.is_near(signed_on):
        raise BAD_INPUT(what="签订日期")
    file.seek(0)
    digest = hashlib.sha256()
    for block in file.chunks():
        digest.update(block)
    file.seek(0)
    file.name = f"{merchant.pk}-{digest.hexdigest()[:16]}.{kind}"
    return CommitmentLetter.objects.create(
        merchant=merchant,
        file=file,
        sha256=digest.hexdigest(),
        version=version.strip() or "第一版",
        signed_on=signed_on,
        recorded_by=staff,
        recorded_at=now,
    )


def revoke_code(code_id: int) -> None:
    """Void a one-time code that was not used; raises NO_CODE."""
    open_codes = BindingCode.objects.filter(pk=code_id, used_at=None, revoked_at=None)
    if not open_codes.update(revoked_at=clock.now(), code=None):
        raise errors.NO_CODE()


def inspect(
    merchant: Merchant,
    staff: Staff,
    visited_on: dt.date,
    finding: str,
    *,
    is_breach: bool,
    photos: Iterable[UploadedFile] = (),
) -> Inspection:
    """Keep a visit to a firm with its photos; raises BAD_INPUT for a day that has not come or too many photos."""
    pictures = list(photos)
    if visited_on > clock.now().date() or not clock.is_near(visited_on):
        raise BAD_INPUT(what="检查日期")
    if len(pictures) > MAX_PHOTOS or any((p.size or 0) > MAX_PHOTO_BYTES for p in pictures):
        raise BAD_INPUT(what="照片（最多 9 张，每张不超过 12 MB）")
    with transaction.atomic():
        made = Inspection.objects.create(
            merchant=merchant, inspector=staff, visited_on=visited_on, finding=finding.strip(), is_breach=is_breach
        )
        for number, picture in enumerate(pictures, start=1):
            head = picture.read(8)
            picture.seek(0)
            kind = next((name for magic, name in LETTER_KINDS.items() if head.startswith(magic)), "")
            if kind not in ("jpg", "png"):
                raise BAD_INPUT(what="照片（须为 JPG 或 PNG）")
            picture.name = f"{made.pk}-{number}.{kind}"
            InspectionPhoto.objects.create(inspection=made, file=picture)
    return made


def take_up(complaint_id: int, staff: Staff) -> Complaint:
    """Begin to handle a complaint; raises COMPLAINT_ENDED."""
    with transaction.atomic():
        complaint = _open_complaint(complaint_id)
        complaint.state, complaint.handled_by = Complaint.State.WORKING, staff
        complaint.save(update_fields=["state", "handled_by"])
    return complaint


def decide(complaint_id: int, staff: Staff, *, upheld: bool, answer: str) -> Complaint:
    """End a complaint with an answer that its maker can read; raises COMPLAINT_ENDED, BAD_INPUT without an answer."""
    if not answer.strip():
        raise BAD_INPUT(what="处理结果")
    with transaction.atomic():
        complaint = _open_complaint(complaint_id)
        complaint.state = Complaint.State.UPHELD if upheld else Complaint.State.REJECTED
        complaint.answer, complaint.handled_by, complaint.ended_at = answer.strip(), staff, clock.now()
        complaint.save(update_fields=["state", "answer", "handled_by", "ended_at"])
    return complaint


def _open_complaint(complaint_id: int) -> Complaint:
    complaint = Complaint.objects.select_for_update().get(pk=complaint_id)
    if complaint.ended_at is not None:
        raise errors.COMPLAINT_ENDED()
    return complaint
