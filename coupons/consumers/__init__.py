"""Consumers: SMS codes, binding, place, and the ways out (correct, unbind, delete)."""

from coupons.consumers.binding import (
    COOKIE,
    Binding,
    attach_wechat,
    bind,
    by_openid,
    cookie_of,
    current,
    person_for,
    required,
)
from coupons.consumers.excluding import exclude, readmit
from coupons.consumers.leaving import copy_of, correct_name, delete, shred, shred_due, unbind
from coupons.consumers.names import checked_name, storable
from coupons.consumers.placing import (
    boundary_of,
    declare_place,
    is_coarse,
    set_boundary,
    set_place,
    set_policy,
    vouch_place,
)
from coupons.consumers.revealing import reveal
from coupons.consumers.verifying import CODE_LIFE, RESEND_AFTER, code_hash, count_text, phone_key, send_code, use_code

__all__ = [
    "CODE_LIFE",
    "COOKIE",
    "RESEND_AFTER",
    "Binding",
    "attach_wechat",
    "bind",
    "boundary_of",
    "by_openid",
    "checked_name",
    "code_hash",
    "cookie_of",
    "copy_of",
    "correct_name",
    "count_text",
    "current",
    "declare_place",
    "delete",
    "exclude",
    "is_coarse",
    "person_for",
    "phone_key",
    "readmit",
    "required",
    "reveal",
    "send_code",
    "set_boundary",
    "set_place",
    "set_policy",
    "shred",
    "shred_due",
    "storable",
    "unbind",
    "use_code",
    "vouch_place",
]
