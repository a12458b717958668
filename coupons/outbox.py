"""Messages to people go out after the commit, by number of their row; a queue never carries a phone number."""

from __future__ import annotations

import datetime as dt
import json
import logging

from celery import current_app
from django.conf import settings
from django.db import transaction

from coupons.models import Consumer, OutboxMessage, Subscription
from huigou import clock, sms, wechat
from huigou.fields import seal, unseal

log = logging.getLogger(__name__)
PURPOSE = "outbox"
TRIES = 5
CODE_MINUTES = 5
SCENES: dict[str, int] = {
    OutboxMessage.Kind.WON: 1,
    OutboxMessage.Kind.EXPIRING: 2,
    OutboxMessage.Kind.USED: 3,
}  # WeChat's numbers
SAID = ("what", "how", "until", "where", "when_time", "amount")  # of a message's words, in the order of a sentence
THING_CHARS = 20  # WeChat's limit of a field thing.DATA


def put_sms_code(phone: str, code: str, now: dt.datetime) -> OutboxMessage:
    """Queue a code to a phone; called inside the transaction that made the code."""
    message = OutboxMessage.objects.create(
        kind=OutboxMessage.Kind.SMS_CODE,
        sealed_to=seal(phone.encode(), PURPOSE),
        sealed_body=seal(json.dumps({"code": code}).encode(), PURPOSE),
        next_try_at=now,
        created_at=now,
    )
    transaction.on_commit(lambda: _send_soon(message.pk))
    return message


def put_shop_code(phone: str, body: dict[str, str | int], about_key: str, now: dt.datetime) -> OutboxMessage:
    """Queue a shop's code (``shop``, ``code``, ``days``) to its number, inside the transaction that allows it."""
    message = OutboxMessage.objects.create(
        kind=OutboxMessage.Kind.SHOP_CODE,
        sealed_to=seal(phone.encode(), PURPOSE),
        sealed_body=seal(json.dumps(body).encode(), PURPOSE),
        about_key=about_key,
        next_try_at=now,
        created_at=now,
    )
    transaction.on_commit(lambda: _send_soon(message.pk))
    return message


def can_tell(kind: str) -> bool:
    """Say whether messages of a kind can be sent at all: WeChat is connected and has a template for them."""
    return wechat.is_configured() and (kind in settings.WECHAT_TEMPLATES or bool(settings.WECHAT_ONCE_TEMPLATE))


def can_be_allowed() -> bool:
    """Say whether people can allow single messages on our pages."""
    return wechat.is_configured() and bool(settings.WECHAT_ONCE_TEMPLATE)


def allow(consumer: Consumer, kind: str) -> None:
    """Keep that somebody allowed one message of a kind at WeChat; a second yes before it is used counts as the same."""
    values = {"agreed_at": clock.now()}
    Subscription.objects.update_or_create(consumer=consumer, kind=kind, message=None, defaults=values)


def allowed(consumer: Consumer) -> set[str]:
    """Return the kinds of which somebody allowed a message that was not used yet."""
    return set(Subscription.objects.filter(consumer=consumer, message=None).values_list("kind", flat=True))


def put_about(
    kind: str, consumer: Consumer, body: dict[str, str], about_key: str, now: dt.datetime
) -> OutboxMessage | None:
    """Queue a WeChat subscribe message about something, once per ``about_key``; None without an openid.

    A message that the person allowed here is used up by it; without one, the kind needs a template of its own, whose
    permission WeChat keeps.
    """
    if not consumer.openid:
        return None
    with transaction.atomic():
        yes = Subscription.objects.select_for_update().filter(consumer=consumer, kind=kind, message=None).first()
        if yes is None and kind not in settings.WECHAT_TEMPLATES:
            return None
        message, made = OutboxMessage.objects.get_or_create(
            about_key=about_key,
            defaults={
                "kind": kind,
                "consumer": consumer,
                "sealed_body": seal(json.dumps(body).encode(), PURPOSE),
                "next_try_at": now,
                "created_at": now,
            },
        )
        if made and yes is not None:
            yes.message = message
            yes.save(update_fields=["message"])
    return message if made else None


def _send_soon(message_id: int) -> None:
    try:
        # By name: tasks call the verbs, never the other way round.
        current_app.send_task("coupons.send_message", kwargs={"message_id": message_id})
    except Exception:  # a broker that is down must not lose the code: the next sweep of the outbox sends it
        log.warning("outbox message %d waits for the next sweep", message_id)


def due(limit: int = 200) -> list[int]:
    """Return the numbers of messages that wait and are due."""
    waiting = OutboxMessage.objects.filter(state=OutboxMessage.State.WAITING, next_try_at__lte=clock.now())
    return list(waiting.order_by("next_try_at").values_list("pk", flat=True)[:limit])


def send(message_id: int) -> bool:
    """Send one waiting message; True when it went out. Two senders at once send it once."""
    with transaction.atomic():
        message = (
            OutboxMessage.objects.select_for_update(skip_locked=True)
            .filter(pk=message_id, state=OutboxMessage.State.WAITING)
            .first()
        )
        if message is None:
            return False
        now = clock.now()
        # Claimed for a minute: should this process die, another tries again.
        message.tries += 1
        message.next_try_at = now + dt.timedelta(minutes=1)
        message.save(update_fields=["tries", "next_try_at"])
    try:
        _deliver(message)
    except Exception as failed:  # one message that nobody foresaw must not hold up all that wait behind it
        if not isinstance(failed, sms.SmsError | wechat.WechatError | ValueError):
            log.error("outbox message %d failed with %s", message_id, type(failed).__name__)
        # What may have been received is not sent again: two codes confuse a person, and the limit counts both.
        doubtful = getattr(failed, "maybe_sent", False) or getattr(failed, "maybe_done", False)
        final = message.tries >= TRIES or doubtful or not getattr(failed, "retryable", False)
        message.state = OutboxMessage.State.FAILED if final else OutboxMessage.State.WAITING
        message.error = getattr(failed, "code", type(failed).__name__)
        message.next_try_at = clock.now() + dt.timedelta(seconds=15 * 2**message.tries)
        if final:
            message.sealed_to = message.sealed_body = None
        message.save()
        return False
    message.state, message.sent_at, message.error = OutboxMessage.State.SENT, clock.now(), ""
    message.sealed_to = message.sealed_body = None
    message.save()
    return True


def _deliver(message: OutboxMessage) -> None:
    body = json.loads(unseal(bytes(message.sealed_body), PURPOSE)) if message.sealed_body else {}
    if message.kind in (OutboxMessage.Kind.SMS_CODE, OutboxMessage.Kind.SHOP_CODE):
        if message.sealed_to is None:
            raise ValueError("no recipient")
        phone = unseal(bytes(message.sealed_to), PURPOSE).decode()
        # The row's number goes along, so that a gateway can drop a doubled one.
        reference = str(message.pk)
        if message.kind == OutboxMessage.Kind.SMS_CODE:
            text = sms.verification(phone, body["code"], CODE_MINUTES, reference=reference)
        else:
            text = sms.shop_code(phone, body["shop"], body["code"], body["days"], reference=reference)
        sms.get_backend().send(text, clock.now())
        return
    consumer = message.consumer
    if not can_tell(message.kind) or consumer is None or not consumer.openid:
        raise ValueError("no way to tell")  # unbound meanwhile, or WeChat was taken off
    page = f"{settings.SITE_URL}/m/coupons"
    if settings.WECHAT_ONCE_TEMPLATE and Subscription.objects.filter(message=message).exists():
        title, content = f"消费券{message.get_kind_display()}", "，".join(body[word] for word in SAID if body.get(word))
        wechat.send_once(consumer.openid, settings.WECHAT_ONCE_TEMPLATE, SCENES[message.kind], title, content, page)
        return
    if message.kind not in settings.WECHAT_TEMPLATES:
        raise ValueError("no way to tell")
    template, fields = settings.WECHAT_TEMPLATES[message.kind]
    data = {field: _fitting(field, body.get(word, "")) for field, word in fields.items()}
    wechat.send_subscribe(consumer.openid, template, data, page=page)


def _fitting(field: str, text: str) -> str:
    """Cut a text to what WeChat takes in a field of its kind; a longer one would refuse the whole message."""
    return text[:THING_CHARS] if field.startswith("thing") else text
