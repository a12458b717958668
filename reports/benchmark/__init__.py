"""``make bench``: what the draw costs on this machine, beside PostgreSQL's own ceiling and an empty Django view."""
