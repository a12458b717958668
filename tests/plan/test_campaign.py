"""A campaign's switches are words that the draw knows; the database takes no other."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from coupons.models import Campaign
from huigou.rules import constraint_of


@pytest.mark.parametrize("switch", ["draw_mode", "place_policy", "exclusion_policy"])
def test_an_unknown_word_is_refused_and_every_known_one_taken(county, switch):
    campaigns = Campaign.objects.filter(pk=county.campaign.pk)
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        campaigns.update(**{switch: "whatever"})
    assert constraint_of(refused.value) == f"campaign_{switch}"
    for word in Campaign._meta.get_field(switch).choices:
        assert campaigns.update(**{switch: word[0]}) == 1
