"""What a page of the back office costs at the database, with millions of draws behind it."""
