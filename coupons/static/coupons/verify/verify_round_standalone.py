#!/usr/bin/env python3
"""核验“惠购乾城”一轮抽奖的揭示文件。只需要 Python 3.9 以上，不需要安装任何东西，也不需要联网。

    python3 verify_round_standalone.py 揭示文件.json
    python3 verify_round_standalone.py 揭示文件.json --heads 公布文件.jsonl [--key 公钥] [--json]

没有错误时退出码为 0；有错误为 1，并指出每一类错误的第一张奖票；文件读不了为 2。
规则见 docs/fairness.md；本文件按那份说明另行写成，不使用平台的任何代码。
"""

# It must run on old Pythons and reads what its user names.
# ruff: noqa: B905, FBT002, FBT003, PTH123, RUF007, SIM905, T201

import argparse
import hashlib
import hmac
import json
import os
import struct
import sys

MAX_INT, MAX_CARDS, MAX_FACES = 2**53 - 1, 50_000_000, 254
DRAW, VOID, NOBODY = 1, 2, bytes(32)


# ---- bytes (docs/fairness.md, section 3)


def sha256(data):
    return hashlib.sha256(data).digest()


def mac(key, data):
    return hmac.digest(key, data, "sha256")


def u64(number):
    return struct.pack(">Q", number)


def block(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">I", len(data)) + data


def tag(name):
    return block("huigou-fairness/1/" + name)


# ---- seal, deck, log (sections 4 to 7)


def share_commitment(campaign, round_no, custodian, share):
    return sha256(tag("share") + block(campaign) + u64(round_no) + block(custodian) + block(share))


def new_share(campaign, round_no, custodian):
    share = os.urandom(32)
    print("承诺值（现在提交）：", share_commitment(campaign, int(round_no), custodian, share).hex())
    print("份额（自己保管，备奖前交付，此前不给任何人看）：", share.hex())
    return 0


def entropy_bytes(entropy):
    return b"\0" if entropy is None else b"\1" + block(entropy["source"]) + block(entropy["value"])


def named(pairs, frame):
    """pairs: {name: bytes}; ascending by the name's bytes."""
    items = sorted(pairs.items(), key=lambda item: item[0].encode())
    return u64(len(items)) + b"".join(block(name) + frame(value) for name, value in items)


def round_seed(campaign, round_no, shares, entropy):
    message = block(campaign) + u64(round_no) + named(shares, block) + entropy_bytes(entropy)
    return mac(tag("round-seed"), message)


def deck_seed(seed, category):
    return mac(seed, tag("deck-seed") + block(category))


def deck_name(doc, category):
    return f"{doc['campaign']}/{doc['round']}/{category}"


def plan_hash(doc, category, inner):
    plan = {key: inner[key] for key in ("blanks", "faces", "mode", "multiplier", "turns")}
    plan.update({key: doc[key] for key in ("campaign", "closes_at_us", "opens_at_us", "round")}, category=category)
    return sha256(json.dumps(plan, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode())


def round_plan_hash(doc):
    hashes = {deck["category"]: plan_hash(doc, deck["category"], deck["contents"]) for deck in doc["decks"]}
    return sha256(tag("round-plan") + named(hashes, bytes))


def deck_commitment(deck, plan, commitments, entropy):
    return sha256(tag("deck-commitment") + block(deck) + plan + named(commitments, bytes) + entropy_bytes(entropy))


def uniform(key, name, k, span):
    """An unbiased whole number from 0 to span-1."""
    attempt = 0
    while True:
        digest = mac(key, tag(name) + u64(k) + struct.pack(">I", attempt))
        value = int.from_bytes(digest[:8], "big")
        if value < 2**64 - 2**64 % span:
            return value % span
        attempt += 1


def shuffled(key, name, items, wanted):
    """The first `wanted` places of the shuffle."""
    for k in range(wanted):
        j = k + uniform(key, name, k, len(items) - k)
        items[k], items[j] = items[j], items[k]
    return items[:wanted]


def cards(key, inner, wanted):
    faces = [face for face, _ in inner["faces"]] + [0]
    counts = [count for _, count in inner["faces"]] + [inner["blanks"]]
    items = bytearray(b"".join(bytes([i]) * count for i, count in enumerate(counts)))
    return [faces[i] for i in shuffled(key, "shuffle", items, min(wanted, len(items)))]


def lottery_order(key, people):
    people = sorted(people)
    return shuffled(key, "lottery", people, len(people))


def registrants_hash(deck, people):
    return sha256(tag("registrants") + block(deck) + u64(len(people)) + b"".join(sorted(people)))


def chain_start(deck, commitment, plan):
    return sha256(tag("log-start") + block(deck) + commitment + plan)


def link(prev, deck, ticket, face, at, who, turn, kind):
    body = prev + u64(ticket) + u64(face) + u64(at) + who + struct.pack(">IB", turn, kind)
    return sha256(tag("log-entry") + block(deck) + body)


def head_message(deck, tickets, head, at):
    return tag("head") + block(deck) + u64(tickets) + head + u64(at)


def registrants_message(deck, count, digest, at):
    return tag("registrants-signed") + block(deck) + u64(count) + digest + u64(at)


# ---- Ed25519, verification only (RFC 8032)

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)
TABLES = {}


def add(a, b):
    p, q = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    r, s = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = q - p, s - r, s + r, q + p
    return e * f % P, g * h % P, f * g % P, e * h % P


def decode(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * ROOT % P
    if y >= P or x * x % P != square or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P


def table(data, negative):
    """Multiples 0 to 15 of 16**i times a point, kept because one key signs many heads."""
    if data not in TABLES:
        point, rows = decode(data), []
        if point and negative:
            point = (P - point[0], point[1], 1, P - point[3])
        while point and len(rows) < 64:
            row = [(0, 1, 1, 0)]
            while len(row) < 16:
                row.append(add(row[-1], point))
            rows.append(row)
            point = add(row[-1], point)
        TABLES[data] = rows
    return TABLES[data]


def signature_holds(key, message, signature):
    s, base = int.from_bytes(signature[32:], "little"), (4 * pow(5, P - 2, P) % P).to_bytes(32, "little")
    if s >= L or not table(key, True):
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    total = (0, 1, 1, 0)
    for number, rows in ((s, table(base, False)), (h, table(key, True))):
        for i, row in enumerate(rows):
            total = add(total, row[number >> 4 * i & 15])
    z = pow(total[2], P - 2, P)
    x, y = total[0] * z % P, total[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


# ---- reading, strictly (section 8)


class Malformed(Exception):
    pass


def need(condition, where):
    if not condition:
        raise Malformed(where)


def whole(value, where, least=0, most=MAX_INT):
    need(type(value) is int and least <= value <= most, where)
    return value


def raw(value, where, least=32, most=None):
    need(isinstance(value, str) and len(value) % 2 == 0 and set(value) <= set("0123456789abcdef"), where)
    need(least <= len(value) // 2 <= (most or least), where)
    return bytes.fromhex(value)


def name(value, where, slash=True):
    need(isinstance(value, str) and 0 < len(value.encode("utf-8", "replace")) <= 200, where)
    need(not any(c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in value), where)
    need(slash or "/" not in value, where)
    return value


def part(value, kind, where, keys=()):
    need(type(value) is kind and all(key in value for key in keys), where)
    return value


def signed(value, where):
    return whole(value["signed_at_us"], where), raw(value["signature"], where, 64)


def read_contents(doc, inner, where):
    part(inner, dict, where, ("mode", "turns", "multiplier", "faces", "blanks"))
    need(inner["mode"] in ("wheel", "lottery"), where)
    whole(inner["turns"], where, 1), whole(inner["multiplier"], where, 1), whole(inner["blanks"], where)
    last, total = 0, inner["blanks"]
    need(len(part(inner["faces"], list, where)) <= MAX_FACES, where)
    for pair in inner["faces"]:
        need(len(part(pair, list, where)) == 2, where)
        last = whole(pair[0], where, last + 1)
        total += whole(pair[1], where, 1)
    need(total <= MAX_CARDS, where)
    return total


def read_deck(doc, deck):
    keys = "category contents plan_hash commitment size drawn head heads registrants log".split()
    part(deck, dict, "牌", keys)
    where = "牌 " + name(deck["category"], "品类", slash=False)
    out = {"inner": deck["contents"], "size": read_contents(doc, deck["contents"], where), "people": None}
    out["id"] = deck_name(doc, deck["category"])
    for key in ("plan_hash", "commitment", "head"):
        out[key] = raw(deck[key], where)
    out["stated_size"], out["drawn"] = whole(deck["size"], where), whole(deck["drawn"], where)
    out["heads"], out["log"] = set(), []
    for row in part(deck["heads"], list, where):
        need(len(part(row, list, where)) == 4, where)
        out["heads"].add((whole(row[0], where), raw(row[1], where), whole(row[2], where), raw(row[3], where, 64)))
    for number, row in enumerate(part(deck["log"], list, where), 1):
        at = f"{where} · 第 {number} 行"
        need(len(part(row, list, at)) == 7, at)
        numbers = [whole(row[i], at) for i in (0, 1, 2)]
        turn, kind = whole(row[4], at, 0, 2**32 - 1), whole(row[5], at, DRAW, VOID)
        out["log"].append((*numbers, raw(row[3], at), turn, kind, raw(row[6], at)))
    if deck["registrants"] is not None:
        people = part(deck["registrants"], dict, where, ("count", "hash", "signed_at_us", "signature", "list"))
        out["people"] = [raw(item, where) for item in part(people["list"], list, where)]
        out["people_stated"] = (whole(people["count"], where), raw(people["hash"], where), *signed(people, where))
    return out


def read_document(doc):
    keys = "format version campaign round opens_at_us closes_at_us plan_hash shares entropy public_key decks".split()
    part(doc, dict, "文件", keys)
    need(doc["format"] == "huigou-fairness-round" and whole(doc["version"], "版本") == 1, "格式或版本")
    name(doc["campaign"], "活动", slash=False), whole(doc["round"], "轮次", 1)
    whole(doc["closes_at_us"], "时间", whole(doc["opens_at_us"], "时间") + 1)
    raw(doc["plan_hash"], "计划哈希"), raw(doc["public_key"], "公钥")
    need(1 <= len(part(doc["shares"], list, "份额")) <= 4, "份额")
    for share in doc["shares"]:
        part(share, dict, "份额", ("custodian", "commitment", "share"))
        name(share["custodian"], "保管人"), raw(share["commitment"], "份额承诺")
        need(share["share"] is None or raw(share["share"], "份额", 32, 1024), "份额")
    need(len({share["custodian"] for share in doc["shares"]}) == len(doc["shares"]), "保管人重复")
    if doc["entropy"] is not None:
        part(doc["entropy"], dict, "公共随机数", ("source", "value"))
        name(doc["entropy"]["source"], "公共随机数"), name(doc["entropy"]["value"], "公共随机数")
    decks = [read_deck(doc, deck) for deck in part(doc["decks"], list, "牌")]
    need(decks and len({deck["id"] for deck in decks}) == len(decks), "品类")
    return decks


def read_published(text):
    out = {"key": None, "commitments": {}, "sources": {}, "seals": {}, "heads": {}, "registrants": {}}
    for number, line in enumerate(text.split("\n"), 1):
        where = f"公布文件第 {number} 行"
        if not line.strip():
            continue
        try:
            item = json.loads(line)
            kind = part(item, dict, where)["kind"]
            if kind == "key":
                key = raw(item["public_key"], where)
                need(out["key"] in (None, key), where)
                out["key"] = key
            elif kind == "commitment":
                place = (name(item["campaign"], where, slash=False), whole(item["round"], where))
                kept = out["commitments"].setdefault(place, {})
                value = raw(item["commitment"], where)
                need(kept.setdefault(name(item["custodian"], where), value) == value, where)
            elif kind == "source":
                place = (name(item["campaign"], where, slash=False), whole(item["round"], where))
                named_source = name(item["source"], where)
                need(out["sources"].setdefault(place, named_source) == named_source, where)
            elif kind == "seal":
                seal = (raw(item["plan_hash"], where), raw(item["commitment"], where))
                need(out["seals"].setdefault(part(item["deck"], str, where), seal) == seal, where)
            elif kind == "head":
                head = (whole(item["tickets"], where), raw(item["head"], where), *signed(item, where))
                out["heads"].setdefault(part(item["deck"], str, where), set()).add(head)
            elif kind == "registrants":
                stated = (whole(item["count"], where), raw(item["hash"], where), *signed(item, where))
                out["registrants"].setdefault(part(item["deck"], str, where), set()).add(stated)
        except (KeyError, ValueError):
            raise Malformed(where) from None
    return out


# ---- checking (section 9)


class Report:
    def __init__(self):
        self.kinds = {}

    def __call__(self, code, message, deck=None, ticket=None, level="error"):
        first = {"code": code, "deck": deck, "ticket": ticket, "message": message, "level": level, "count": 0}
        self.kinds.setdefault((code, deck), first)["count"] += 1


def verify(doc, published=None, key=None):
    """Return the findings; all of level "note", or none, means green. `published` is from read_published."""
    report = Report()
    try:
        decks = read_document(doc)
    except Malformed as wrong:
        report("format", f"文件不合格式：{wrong}")
        return list(report.kinds.values())
    stated, outside = bytes.fromhex(doc["public_key"]), published and published["key"]
    key = key or outside or stated
    if stated != key or (outside and outside != key):
        report("key", "文件里的签名公钥与事先公布的不是同一个")
    seed, commitments = check_shares(report, doc, published)
    source = published and published["sources"].get((doc["campaign"], doc["round"]))
    if source and (doc["entropy"] is None or doc["entropy"]["source"] != source):
        report("entropy-published", "公共随机数的来源与事先公布的不同")
    if round_plan_hash(doc) != bytes.fromhex(doc["plan_hash"]):
        report("plan-hash", "本轮计划的哈希与各品类内容不符")
    for source, deck in zip(doc["decks"], decks):
        key_of_deck = seed and deck_seed(seed, source["category"])
        check_seal(report, doc, source, deck, commitments)
        sealed = published and published["seals"].get(deck["id"])
        if sealed and sealed != (deck["plan_hash"], deck["commitment"]):
            report("seal-published", "计划哈希或封存承诺与发牌时公布的不同", deck["id"])
        check_order(report, deck)
        if key_of_deck:
            check_cards(report, deck, key_of_deck)
        check_people(report, doc, deck)
        start = chain_start(deck["id"], deck["commitment"], deck["plan_hash"])
        check_links(report, deck, start)
        check_heads(report, doc, deck, start, key, published)
        if deck["inner"]["mode"] == "lottery":
            check_lottery(report, deck, key, published, key_of_deck)
    if published:
        prefix, present = deck_name(doc, ""), {deck["id"] for deck in decks}
        for deck in sorted((set(published["heads"]) | set(published["seals"])) - present):
            if deck.startswith(prefix):
                report("deck-missing", "已签名公布过的牌不在文件里", deck)
    return list(report.kinds.values())


def check_shares(report, doc, published):
    shares, commitments = {}, {}
    for item in doc["shares"]:
        who = item["custodian"]
        commitments[who] = bytes.fromhex(item["commitment"])
        if item["share"] is None:
            report("not-revealed", f"“{who}”的份额尚未揭示，牌序还不能核对", level="note")
            continue
        shares[who] = bytes.fromhex(item["share"])
        if share_commitment(doc["campaign"], doc["round"], who, shares[who]) != commitments[who]:
            report("share-commitment", f"“{who}”揭示的份额与其承诺不符：种子被换过")
    if published is None:
        report("heads-not-given", "没有提供外部保存的公布文件：整体改写和截尾只能靠本文件内的签名", level="note")
    else:
        ahead = published["commitments"].get((doc["campaign"], doc["round"]))
        if not ahead:
            report("commitments-not-published", "公布文件里没有本轮的份额承诺", level="note")
        elif ahead != commitments:
            report("share-published", "份额承诺（保管人或承诺值）与事先公布的不同")
    if len(shares) < len(commitments):
        return None, commitments
    return round_seed(doc["campaign"], doc["round"], shares, doc["entropy"]), commitments


def check_seal(report, doc, source, deck, commitments):
    if deck["stated_size"] != deck["size"]:
        report("size", f"牌的张数写作 {deck['stated_size']}，按内容应为 {deck['size']}", deck["id"])
    if plan_hash(doc, source["category"], deck["inner"]) != deck["plan_hash"]:
        report("plan-hash", "牌的内容（面额、张数、空白、时间、倍数）与封存时的哈希不符", deck["id"])
    if deck_commitment(deck["id"], deck["plan_hash"], commitments, doc["entropy"]) != deck["commitment"]:
        report("commitment", "封存承诺与份额承诺、公共随机数、内容三者不符", deck["id"])


def check_order(report, deck):
    expected, lost = 0, set()
    for ticket, _face, _at, _who, _turn, kind, _after in deck["log"]:
        if ticket >= deck["size"]:
            report("ticket-range", f"奖票 {ticket} 超出牌的张数", deck["id"], ticket)
        elif ticket >= expected:
            lost.update(range(expected, ticket))
            expected = ticket + 1
        elif ticket not in lost:
            report("ticket-repeated", f"奖票 {ticket} 出现了不止一次", deck["id"], ticket)
        else:
            lost.remove(ticket)
            if kind != VOID:
                report("ticket-order", f"奖票 {ticket} 排在了更大的号码之后", deck["id"], ticket)
        if kind == VOID:
            report("void", f"奖票 {ticket} 列为作废，其券退回奖池", deck["id"], ticket, "note")
    for ticket in sorted(lost):
        report("ticket-missing", f"缺奖票 {ticket}", deck["id"], ticket)


def check_cards(report, deck, key):
    wanted = max([row[0] + 1 for row in deck["log"]], default=0)
    right = cards(key, deck["inner"], wanted)
    for ticket, face, *_ in deck["log"]:
        if ticket < len(right) and right[ticket] != face:
            message = f"奖票 {ticket} 应是 {right[ticket]} 分的牌，日志写作 {face} 分"
            report("card", message, deck["id"], ticket)


def check_people(report, doc, deck):
    latest, limit, turns, winners = 0, deck["inner"]["turns"], set(), set()
    for ticket, face, at, who, turn, kind, _after in deck["log"]:
        faults = []
        if at < latest:
            faults.append(("time-backwards", "的时间早于前一条"))
        latest = max(latest, at)
        if kind == VOID:
            if who != NOBODY or turn:
                faults.append(("void-owned", "已作废，却写着持有人"))
        else:
            if not doc["opens_at_us"] <= at < doc["closes_at_us"]:
                faults.append(("time-window", "的时间不在本轮之内"))
            if not 1 <= turn <= limit:
                faults.append(("turn-limit", f"是同一人的第 {turn} 次，限 {limit} 次"))
            if (who, turn) in turns:
                faults.append(("turn-repeated", "与前面某张是同一人的同一次抽奖"))
            turns.add((who, turn))
            if face and who in winners:
                faults.append(("second-win", "让同一人在本品类第二次中奖"))
            if face:
                winners.add(who)
        for code, message in faults:
            report(code, f"奖票 {ticket} {message}", deck["id"], ticket)


def check_links(report, deck, start):
    prev = start
    for row in deck["log"]:
        if link(prev, deck["id"], *row[:6]) != row[6]:
            message = f"奖票 {row[0]} 与哈希链不符：此条或其前一条被改动、删去或插入"
            report("link", message, deck["id"], row[0])
        prev = row[6]
    count = len(deck["log"])
    if deck["drawn"] != count:
        message = f"写明抽出 {deck['drawn']} 张，日志有 {count} 条"
        report("drawn", message, deck["id"], min(deck["drawn"], count))
    if deck["head"] != prev:
        report("head", "写明的链头与日志最后一条不符", deck["id"], count)


def check_heads(report, doc, deck, start, key, published):
    known = set(deck["heads"])
    if published is not None:
        outside = published["heads"].get(deck["id"], set())
        if not outside:
            report("no-published-head", "公布文件里没有这副牌的签名", deck["id"])
        known |= outside
    log, matched, covered, seals = deck["log"], 0, 0, []
    for tickets, head, at, signature in sorted(known, key=lambda item: (item[0], item[2])):
        if not signature_holds(key, head_message(deck["id"], tickets, head, at), signature):
            report("signature", f"第 {tickets} 张之后的链头签名无效", deck["id"], tickets)
            continue
        covered = max(covered, tickets)
        if tickets == 0:
            seals.append(at)
            if head != start:
                message = "签名公布的封存承诺与本文件不同：种子、公共随机数或内容被换过"
                report("seal-mismatch", message, deck["id"])
        elif tickets > len(log):
            message = f"已签名公布过 {tickets} 条，日志只有 {len(log)} 条：尾部被截去"
            report("tail-cut", message, deck["id"], len(log))
        elif head != log[tickets - 1][6]:
            message = f"第 {matched + 1} 至 {tickets} 条之间与签名公布的链头不符：日志被改写过"
            report("head-mismatch", message, deck["id"], log[matched][0])
        else:
            matched = tickets
    if not seals:
        report("seal-missing", "没有开抽之前的签名，不能证明封存在先", deck["id"], level="note")
    elif min(seals) >= doc["opens_at_us"]:
        report("seal-late", "封存承诺的签名晚于开抽时间", deck["id"], level="note")
    if covered < len(log):
        report("tail-unsigned", f"第 {covered} 条以后的记录没有签名覆盖", deck["id"], covered, "note")


def check_lottery(report, deck, key, published, seed):
    people = deck["people"]
    if people is None:
        report("registrants", "摇号的牌没有报名名单", deck["id"])
        return
    if any(a >= b for a, b in zip(people, people[1:])):
        report("registrants", "报名名单没有按升序排列，或有重复", deck["id"])
        return
    stated = deck["people_stated"]
    if stated[:2] != (len(people), registrants_hash(deck["id"], people)):
        report("registrants", "报名名单与公布的人数或哈希不符", deck["id"])
    outside = published["registrants"].get(deck["id"], set()) if published else set()
    for count, digest, at, signature in sorted({stated} | outside, key=lambda item: item[2]):
        if not signature_holds(key, registrants_message(deck["id"], count, digest, at), signature):
            report("signature", "报名名单的签名无效", deck["id"])
        elif (count, digest) != stated[:2]:
            report("registrants", "报名名单与签名公布的不同", deck["id"])
    if deck["log"] and stated[2] > min(row[2] for row in deck["log"]):
        report("registrants-late", "报名名单的签名晚于摇号", deck["id"])
    due, count = min(deck["size"], len(people)), len(deck["log"])
    if due != count:
        report("lottery-incomplete", f"应有 {due} 张奖票，日志有 {count} 条", deck["id"], count)
    order = lottery_order(seed, people) if seed else []
    for ticket, _face, _at, who, _turn, kind, _after in deck["log"] if seed else ():
        if kind == DRAW and (ticket >= len(order) or order[ticket] != who):
            report("lottery-order", f"奖票 {ticket} 按摇号次序不属于此人", deck["id"], ticket)


def main():
    parser = argparse.ArgumentParser(description="核验一轮抽奖的揭示文件")
    parser.add_argument("file", nargs="?", help="揭示文件（JSON）")
    parser.add_argument("--new-share", nargs=3, metavar=("活动", "轮次", "保管单位"), help="生成一份种子份额和它的承诺值")
    parser.add_argument("--heads", help="外部保存的公布文件（JSON lines）")
    parser.add_argument("--key", help="事先公布的签名公钥（64 位十六进制）")
    parser.add_argument("--json", action="store_true", help="最后一行输出 JSON")
    options = parser.parse_args()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a console without Chinese letters must not stop the check
    if options.new_share:
        return new_share(*options.new_share)
    if not options.file:
        parser.error("要有揭示文件，或 --new-share")
    try:
        with open(options.file, encoding="utf-8") as source:
            doc = json.load(source)
        published = None
        if options.heads:
            with open(options.heads, encoding="utf-8") as source:
                published = read_published(source.read())
        key = raw(options.key, "--key 要是 64 位小写十六进制") if options.key else None
    except (OSError, ValueError, RecursionError, Malformed) as wrong:
        sys.stderr.write(f"读不了：{wrong}\n")
        return 2
    findings = verify(doc, published, key)
    errors = [item for item in findings if item["level"] == "error"]
    for item in findings:
        times = f"（同类共 {item['count']} 处）" if item["count"] > 1 else ""
        mark = "错误" if item["level"] == "error" else "说明"
        print(mark, f"[{item['code']}]", item["deck"] or "", item["message"] + times)
    sealed = any(item["code"] == "not-revealed" for item in findings)
    matched = "已核对的相符，牌序要等份额揭示后再核对" if sealed else "全部相符"
    print(f"核验未通过：{len(errors)} 类错误" if errors else matched)
    if options.json:
        print(json.dumps({"ok": not errors, "findings": findings}, ensure_ascii=False))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
