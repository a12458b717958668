"""The tables of ``reports``, split by what they are about."""

from reports.models.paying import AuditOpinion, Settlement, SettlementLine, SettlementUse
from reports.models.trail import AuditEntry, ExportJob

__all__ = ["AuditEntry", "AuditOpinion", "ExportJob", "Settlement", "SettlementLine", "SettlementUse"]
