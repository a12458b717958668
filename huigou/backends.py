"""Rights of staff come from the department, as huigou/roles.py lists them; nothing is copied that could go stale."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import BaseBackend

from huigou import roles


class DepartmentBackend(BaseBackend):
    """Grant an active member of staff what the department may do. It logs nobody in."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return bool(user_obj.is_active and user_obj.is_staff and roles.may(user_obj.department, perm))

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if not (user_obj.is_active and user_obj.is_staff):
            return set()
        return {right for right in roles.RIGHTS if roles.may(user_obj.department, right)}

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return any(right.startswith(f"{app_label}.") for right in self.get_all_permissions(user_obj))
