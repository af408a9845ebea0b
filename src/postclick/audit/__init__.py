"""What each method converges to when data are infinite and everything is known."""

from postclick.audit.population import POPULATIONS, Population
from postclick.audit.run_audit import AuditEntry, audit

__all__ = ["POPULATIONS", "AuditEntry", "Population", "audit"]
