"""Where a coupon is born and lapses."""
