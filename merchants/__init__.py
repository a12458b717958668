"""Where a coupon is spent."""
