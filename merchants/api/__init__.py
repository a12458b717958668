"""What the clerks' pages' scripts call: DRF views on the same verbs and refusals as the pages."""
