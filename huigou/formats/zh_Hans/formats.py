"""Dates as the old back office wrote them, with seconds."""

DATETIME_FORMAT = "Y/n/j H:i:s"
SHORT_DATETIME_FORMAT = "Y/n/j H:i:s"
DATE_FORMAT = "Y/n/j"
SHORT_DATE_FORMAT = "Y/n/j"
TIME_FORMAT = "H:i:s"
