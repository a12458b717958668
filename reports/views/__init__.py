"""What the back office's scripts and downloads ask of reports."""
