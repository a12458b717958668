"""惠购乾城: a county's consumption vouchers, from the draw to the settlement."""
