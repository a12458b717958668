"""The county's plan: read from its workbooks, linted, loaded, split over the rounds, re-allocated."""
