"""Where coupons are counted and shops are paid."""
