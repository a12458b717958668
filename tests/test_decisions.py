"""What the plan leaves open was decided; every decision has tests that hold it.

A row names a decision and where it is tested; a test that is renamed or lost is missed here.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django.test import Client

from coupons import ledger
from tests import factories

TESTS = Path(__file__).parent
DECISIONS: dict[str, list[str]] = {
    "24:00 is the next day's 0:00, exclusive; a heading's date is only round 1's end": [
        "plan/test_county.py::test_seven_rounds_of_five_days_until_24_oclock",
        "redemption/test_window.py::test_a_scan_at_the_edge",
        "redemption/test_window.py::test_a_scan_that_waited_across_midnight_is_refused",
    ],
    "cells are right, subtotals and title are findings, each signed off with a reason": [
        "plan/test_county.py::test_the_linter_says_exactly_this",
        "plan/test_county.py::test_totals_are_what_the_cells_add_up_to",
        "plan/test_county.py::test_one_finding_without_a_reason_and_nothing_is_loaded",
        "plan/test_county.py::test_with_every_finding_accepted_it_loads_and_keeps_who_said_why",
    ],
    "a round releases ceil(pool / rounds left), editable until dealt": [
        "plan/test_county.py::test_rounds_without_returns_release_2929_to_2914",
        "plan/test_split.py::test_what_comes_back_flows_on_and_the_last_round_empties_the_pool",
        "refusals/test_rounds.py::test_a_dealt_round_takes_no_other_release_time_share_or_public_number",
        "refusals/test_rounds.py::test_a_release_of_more_than_the_pool_holds_is_not_dealt",
    ],
    "a coupon expires with its round, to the moment": [
        "pages/test_consumer_pages.py::test_a_held_coupon_past_its_end_is_shown_as_expired_before_any_job_ran",
        "test_story.py::test_seven_rounds_without_beat_or_worker_come_out_exact",
    ],
    "value returns to its own batch; only an approved move takes it elsewhere, to the fen": [
        "books/test_reallocate.py::test_an_approved_move_keeps_every_fen_and_reaches_the_next_rounds",
        "books/test_reallocate.py::test_nothing_is_moved_before_round_five_is_over",
        "redemption/test_entry.py::test_a_recall_after_the_round_ends_the_coupon_and_returns_its_value",
    ],
    "one win per person, category and round, by a hash that outlives unbinding and deletion": [
        "people_data/test_binding.py::test_unbinding_and_binding_again_does_not_give_a_second_win",
        "people_data/test_binding.py::test_nor_does_the_database_give_one",
        "people_data/test_binding.py::test_deletion_shreds_and_the_rounds_limit_holds_on",
        "refusals/test_drawing.py::test_turns_that_are_used_up_are_said",
        "pages/test_consumer_pages.py::test_sold_out_is_said_before_anybody_turns",
    ],
    "the threshold is the multiplier times the face; under it the amount needed is said": [
        "redemption/test_entry.py::test_what_a_restaurant_enters",
        "redemption/test_entry.py::test_under_the_threshold_the_sentence_says_what_is_missing",
    ],
    "two steps: the scan decides validity, the entry has its window, never entered is forfeited": [
        "redemption/test_window.py::test_an_entry_at_its_edge",
        "redemption/test_window.py::test_what_was_never_entered_is_used_and_forfeited_by_the_shop",
        "pages/test_clerk_pages.py::test_the_list_puts_pending_first_and_sums_the_day",
    ],
    "a reversal gives back before expiry, to the pool after it, nothing for a part": [
        "books/test_refunds.py::test_what_becomes_of_the_coupon_and_its_value",
        "books/test_refunds.py::test_a_coupon_that_came_back_can_be_used_again_until_its_own_end",
    ],
    "the kind is the category's; where cash is barred the payment is asked": [
        "redemption/test_entry.py::test_what_a_restaurant_enters",
        "redemption/test_entry.py::test_what_a_petrol_station_enters",
    ],
    "one coupon a purchase: one open scan, a second within 30 minutes needs another receipt": [
        "redemption/test_order_of_refusals.py::test_a_second_coupon_at_once_needs_another_purchase_and_another_receipt",
        "redemption/test_order_of_refusals.py::test_the_same_receipt_is_the_same_purchase",
        "redemption/test_order_of_refusals.py::test_half_an_hour_later_it_is_simply_another_purchase",
        "redemption/test_races.py::test_two_coupons_of_one_person_in_two_shops_at_once",
    ],
    "a trade holds for the rows below it; a collective lists its stations first": [
        "plan/test_county.py::test_the_trade_printed_on_its_first_row_holds_for_the_rows_below",
        "plan/test_county.py::test_the_collective_waits_without_a_place_until_its_stations_are_listed",
        "people_data/test_binding.py::test_a_collective_lists_its_stations_first",
        "refusals/test_drawing.py::test_where_there_is_no_deck_it_says_why",
    ],
    "one person is one verified phone; staff, owners and clerks are excluded by policy": [
        "people_data/test_binding.py::test_two_live_bindings_of_one_phone_are_impossible",
        "people_data/test_binding.py::test_a_one_time_code_binds_once_and_its_clerk_does_not_draw",
        "people_data/test_place_and_exclusions.py::test_refused_or_shown_as_the_policy_says",
    ],
    "place: asked once, only the verdict kept, datums apart, a station vouches": [
        "people_data/test_place_and_exclusions.py::test_each_policy_lets_through_what_it_says",
        "people_data/test_place_and_exclusions.py::test_a_position_leaves_only_its_verdict",
        "people_data/test_place_and_exclusions.py::test_the_datums_are_kept_apart_at_the_boundary",
        "people_data/test_place_and_exclusions.py::test_a_village_station_vouches_for_somebody_who_gives_no_position",
    ],
    "rounds, faces, categories, multiplier and hours are data": [
        "plan/test_second_county.py::test_it_loads_deals_draws_and_redeems",
    ],
    "each shop may state its own offer, shown and never counted": [
        "test_decisions.py::test_a_shops_own_offer_is_shown_and_costs_the_county_nothing",
    ],
}


def names_in(file: Path) -> set[str]:
    """Return the names of the tests of a module."""
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def lost(pointers: list[str]) -> list[str]:
    """Return the pointers that lead to no test."""
    gone = []
    for pointer in pointers:
        name, _, test = pointer.partition("::")
        file = TESTS / name
        if not file.exists() or test not in names_in(file):
            gone.append(pointer)
    return gone


def test_each_of_the_sixteen_decisions_has_tests_that_exist():
    assert len(DECISIONS) == 16
    assert {decision: gone for decision, held in DECISIONS.items() if (gone := lost(held)) or not held} == {}


def test_a_lost_test_is_missed():
    assert lost(["test_decisions.py::test_that_never_was", "nowhere.py::test_x"]) == [
        "test_decisions.py::test_that_never_was",
        "nowhere.py::test_x",
    ]


@pytest.mark.django_db
def test_a_shops_own_offer_is_shown_and_costs_the_county_nothing(county):
    before = ledger.balances(county.campaign.pk)
    factories.a_merchant(county, name="乾安饭庄", offer="满 300 元再减 30 元")
    factories.a_merchant(county, name="乾安火锅店")
    page = Client().get("/m/merchants").content.decode()
    assert page.count("企业让利：") == 1
    assert "企业让利：满 300 元再减 30 元" in page
    assert ledger.balances(county.campaign.pk) == before
