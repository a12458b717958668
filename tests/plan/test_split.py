"""How many coupons a round releases: ceil(what is in the pool / rounds left)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coupons.plan.split import release, without_returns

counts = st.lists(st.integers(0, 10_000), min_size=1, max_size=30)


@given(counts, st.integers(1, 30))
def test_without_returns_everything_is_released_and_nothing_twice(batches, rounds):
    assert sum(without_returns(batches, rounds)) == sum(batches)


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_one_batch_is_spread_as_evenly_as_whole_coupons_go(count, rounds):
    totals = without_returns([count], rounds)
    assert max(totals) - min(totals) <= 1
    assert totals == sorted(totals, reverse=True)


@given(st.integers(1, 10_000), st.data())
def test_what_comes_back_flows_on_and_the_last_round_empties_the_pool(count, data):
    rounds = data.draw(st.integers(1, 10))
    pool, used = count, 0
    for number in range(rounds):
        out = release(pool, rounds - number)
        assert 0 <= out <= pool
        spent = data.draw(st.integers(0, out))
        used += spent
        pool = pool - out + (out - spent if number < rounds - 1 else 0)
    assert pool == 0
    assert used <= count


@pytest.mark.parametrize(("pool", "left"), [(-1, 1), (1, 0)])
def test_nonsense_is_a_mistake_of_ours(pool, left):
    with pytest.raises(ValueError, match="a pool is never negative"):
        release(pool, left)
