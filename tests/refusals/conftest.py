from __future__ import annotations

from tests.office.conftest import desk_of
from tests.pages.conftest import phone_of

__all__ = ["desk_of", "phone_of"]
