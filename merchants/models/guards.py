"""The triggers that hold a redemption to its coupon, its clerk and its shop: rules that need other tables' rows.

Each raises a check violation under the name of its rule; ``merchants.errors.BY_RULE`` says it in Chinese.
"""

from __future__ import annotations

import pgtrigger

_BORN = """
    SELECT k.holder_id, k.face_fen, k.threshold_fen, k.drawn_at, k.expires_at, k.state, b.category_id, g.campaign_id,
           a.second_coupon_minutes, h.person_id
      INTO of_coupon
      FROM coupons_coupon k JOIN coupons_batch b ON b.id = k.batch_id JOIN coupons_category g ON g.id = b.category_id
      JOIN coupons_campaign a ON a.id = g.campaign_id JOIN coupons_consumer h ON h.id = k.holder_id
     WHERE k.draw_id = NEW.coupon_id;
    IF (NEW.consumer_id, NEW.face_fen, NEW.threshold_fen, NEW.category_id) IS DISTINCT FROM
       (of_coupon.holder_id, of_coupon.face_fen, of_coupon.threshold_fen, of_coupon.category_id) THEN
        RAISE EXCEPTION 'a redemption is of its coupon'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'redemption_of_its_coupon';
    END IF;
    IF NEW.state <> 'pending' THEN
        RAISE EXCEPTION 'a redemption begins with a scan'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'redemption_begins_pending';
    END IF;
    IF NEW.scanned_at >= of_coupon.expires_at OR NEW.scanned_at < of_coupon.drawn_at THEN
        RAISE EXCEPTION 'scanned outside the life of its coupon'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'redemption_within_its_life';
    END IF;
    SELECT c.outlet_id, c.person_id, c.unbound_at, o.merchant_id, o.is_active, m.campaign_id, m.state
      INTO of_clerk
      FROM merchants_clerk c JOIN merchants_outlet o ON o.id = c.outlet_id
      JOIN merchants_merchant m ON m.id = o.merchant_id
     WHERE c.id = NEW.clerk_id;
    IF (NEW.outlet_id, NEW.merchant_id) IS DISTINCT FROM (of_clerk.outlet_id, of_clerk.merchant_id)
       OR of_clerk.unbound_at IS NOT NULL THEN
        RAISE EXCEPTION 'scanned by a clerk bound to the outlet'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'redemption_of_its_clerk';
    END IF;
    IF of_clerk.person_id = of_coupon.person_id THEN
        RAISE EXCEPTION 'nobody spends the own coupon as clerk'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'redemption_not_ones_own';
    END IF;
    IF of_clerk.campaign_id <> of_coupon.campaign_id OR of_clerk.state <> 'active' OR NOT of_clerk.is_active
       OR NOT EXISTS (SELECT 1 FROM merchants_merchant_categories
                       WHERE merchant_id = NEW.merchant_id AND category_id = NEW.category_id) THEN
        RAISE EXCEPTION 'the shop takes part in another trade, or not at all'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'redemption_at_its_trade';
    END IF;
    -- Two scans of one person queue here, each of which then reads what the other wrote.
    PERFORM 1 FROM coupons_person WHERE id = of_coupon.person_id FOR NO KEY UPDATE;
    IF EXISTS (SELECT 1 FROM coupons_consumer h JOIN merchants_redemption r ON r.consumer_id = h.id
                WHERE h.person_id = of_coupon.person_id AND r.state = 'pending') THEN
        RAISE EXCEPTION 'one coupon at a time for a person'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'redemption_one_pending';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM coupons_coupon WHERE draw_id = NEW.coupon_id AND state = 'held') THEN
        RAISE EXCEPTION 'only a held coupon is scanned'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'redemption_once';
    END IF;
    FOR earlier IN
        SELECT r.receipt_no FROM coupons_consumer h JOIN merchants_redemption r ON r.consumer_id = h.id
         WHERE h.person_id = of_coupon.person_id AND r.outlet_id = NEW.outlet_id AND r.state IN ('used', 'forfeited')
           AND r.scanned_at > NEW.scanned_at - of_coupon.second_coupon_minutes * interval '1 minute'
    LOOP
        IF NOT NEW.is_second THEN
            RAISE EXCEPTION 'a second coupon is confirmed as another purchase'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'redemption_second_is_marked';
        END IF;
        IF earlier.receipt_no = NEW.receipt_no THEN
            RAISE EXCEPTION 'another purchase has another receipt'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'redemption_other_receipt';
        END IF;
    END LOOP;
    RETURN NEW;
"""
_ENTERED = """
    SELECT g.cashless, g.kind_type, g.kind_choices, a.second_coupon_minutes, h.person_id
      INTO asked
      FROM coupons_category g JOIN coupons_campaign a ON a.id = g.campaign_id, coupons_consumer h
     WHERE g.id = NEW.category_id AND h.id = NEW.consumer_id;
    IF asked.cashless AND NEW.payment = '' THEN
        RAISE EXCEPTION 'this trade takes no cash: how was it paid'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'redemption_cashless';
    END IF;
    IF (asked.kind_type = 'number' AND NEW.kind !~ '^[1-9][0-9]{0,3}$')
       OR (asked.kind_type = 'choice' AND NOT asked.kind_choices ? NEW.kind) THEN
        RAISE EXCEPTION 'a kind of consumption that this trade does not have'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'redemption_kind_of_its_trade';
    END IF;
    IF NEW.is_second AND EXISTS (
        SELECT 1 FROM coupons_consumer h JOIN merchants_redemption r ON r.consumer_id = h.id
         WHERE h.person_id = asked.person_id AND r.outlet_id = NEW.outlet_id AND r.state IN ('used', 'forfeited')
           AND r.scanned_at > NEW.scanned_at - asked.second_coupon_minutes * interval '1 minute'
           AND r.receipt_no = NEW.receipt_no AND r.id <> NEW.id) THEN
        RAISE EXCEPTION 'another purchase has another receipt'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'redemption_other_receipt';
    END IF;
    RETURN NEW;
"""
_WAY_OF_LIFE = """
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a redemption is never deleted'
            USING CONSTRAINT = 'redemption_way_of_life';
    END IF;
    IF (NEW.coupon_id, NEW.consumer_id, NEW.merchant_id, NEW.outlet_id, NEW.clerk_id, NEW.category_id, NEW.face_fen,
        NEW.threshold_fen, NEW.scanned_at, NEW.is_second, NEW.scan_key) IS DISTINCT FROM
       (OLD.coupon_id, OLD.consumer_id, OLD.merchant_id, OLD.outlet_id, OLD.clerk_id, OLD.category_id, OLD.face_fen,
        OLD.threshold_fen, OLD.scanned_at, OLD.is_second, OLD.scan_key)
       OR NEW.entry_until < OLD.entry_until
       OR (OLD.state <> 'pending' AND (NEW.amount_fen, NEW.completed_at, NEW.kind, NEW.receipt_no, NEW.payment,
                                       NEW.entry_key) IS DISTINCT FROM
                                      (OLD.amount_fen, OLD.completed_at, OLD.kind, OLD.receipt_no, OLD.payment,
                                       OLD.entry_key))
       OR (NEW.state <> OLD.state AND (OLD.state || '>' || NEW.state) NOT IN
           ('pending>used', 'pending>recalled', 'pending>forfeited', 'used>reversed')) THEN
        RAISE EXCEPTION 'redemption % cannot go from % to %', OLD.id, OLD.state, NEW.state
            USING CONSTRAINT = 'redemption_way_of_life';
    END IF;
    RETURN NEW;
"""


def redemption_triggers() -> list[pgtrigger.Trigger]:
    """Return the triggers of a redemption: how it begins, what its entry may say, and how it may go on."""
    return [
        pgtrigger.Trigger(
            name="redemption_way_of_life",
            when=pgtrigger.Before,
            operation=pgtrigger.Update | pgtrigger.Delete,
            func=_WAY_OF_LIFE,
        ),
        pgtrigger.Trigger(
            name="redemption_is_born",
            when=pgtrigger.Before,
            operation=pgtrigger.Insert,
            declare=[("of_coupon", "record"), ("of_clerk", "record"), ("earlier", "record")],
            func=_BORN,
        ),
        pgtrigger.Trigger(
            name="redemption_is_entered",
            when=pgtrigger.Before,
            operation=pgtrigger.Update,
            condition=pgtrigger.Q(old__state="pending", new__state="used"),
            declare=[("asked", "record")],
            func=_ENTERED,
        ),
    ]
