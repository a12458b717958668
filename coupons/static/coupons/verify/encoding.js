/* Bytes, seeds, deck and log of docs/fairness.md, sections 3 to 7. Hashes are Uint8Arrays, names strings. */
(function (root) {
  "use strict";

  const { sha256, hmac256 } = root.HuigouCrypto;
  const utf8 = new TextEncoder();

  function joined(...parts) {
    const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }

  function u32(number) {
    return Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number);
  }

  function u64(number) {
    return joined(u32(Math.floor(number / 2 ** 32)), u32(number % 2 ** 32));
  }

  function block(value) {
    const data = typeof value === "string" ? utf8.encode(value) : value;
    return joined(u32(data.length), data);
  }

  function tag(name) {
    return block("huigou-fairness/1/" + name);
  }

  function unhex(text) {
    return Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.substr(2 * i, 2), 16));
  }

  function hex(bytes) {
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /* Strings compare by UTF-16 units, which is not the order of their UTF-8 bytes; hex of the bytes is. */
  function byBytes(a, b) {
    const [x, y] = [hex(utf8.encode(a)), hex(utf8.encode(b))];
    return x < y ? -1 : x > y ? 1 : 0;
  }

  /* pairs: [name, bytes] */
  function named(pairs, frame) {
    const ordered = [...pairs].sort((a, b) => byBytes(a[0], b[0]));
    return joined(u64(ordered.length), ...ordered.flatMap(([name, value]) => [block(name), frame(value)]));
  }

  function entropyBytes(entropy) {
    if (entropy === null) return Uint8Array.of(0);
    return joined(Uint8Array.of(1), block(entropy.source), block(entropy.value));
  }

  function shareCommitment(campaign, round, custodian, share) {
    return sha256(joined(tag("share"), block(campaign), u64(round), block(custodian), block(share)));
  }

  function roundSeed(campaign, round, shares, entropy) {
    const message = joined(block(campaign), u64(round), named(shares, block), entropyBytes(entropy));
    return hmac256(tag("round-seed"))(message);
  }

  function deckSeed(seed, category) {
    return hmac256(seed)(joined(tag("deck-seed"), block(category)));
  }

  function deckId(doc, category) {
    return `${doc.campaign}/${doc.round}/${category}`;
  }

  function planJson(doc, category, inner) {
    return JSON.stringify({
      blanks: inner.blanks,
      campaign: doc.campaign,
      category,
      closes_at_us: doc.closes_at_us,
      faces: inner.faces,
      mode: inner.mode,
      multiplier: inner.multiplier,
      opens_at_us: doc.opens_at_us,
      round: doc.round,
      turns: inner.turns,
    });
  }

  function planHash(doc, category, inner) {
    return sha256(utf8.encode(planJson(doc, category, inner)));
  }

  function roundPlanHash(doc) {
    const hashes = doc.decks.map((deck) => [deck.category, planHash(doc, deck.category, deck.contents)]);
    return sha256(joined(tag("round-plan"), named(hashes, (value) => value)));
  }

  function deckCommitment(deck, plan, commitments, entropy) {
    const inside = named(commitments, (value) => value);
    return sha256(joined(tag("deck-commitment"), block(deck), plan, inside, entropyBytes(entropy)));
  }

  /* An unbiased whole number from 0 to span-1; span stays under 2**26, so the arithmetic is exact. */
  function uniform(word, k, span) {
    for (let attempt = 0; ; attempt++) {
      const digest = word(k, attempt);
      const view = new DataView(digest.buffer);
      const [high, low] = [view.getUint32(0), view.getUint32(4)];
      if (high === 0xffffffff && low >= 2 ** 32 - span) {
        const value = (BigInt(high) << 32n) | BigInt(low);
        if (value >= 2n ** 64n - (2n ** 64n % BigInt(span))) continue;
      }
      const upper = ((high % span) * 65536 + (low >>> 16)) % span;
      return (upper * 65536 + (low & 0xffff)) % span;
    }
  }

  /* Put the first `wanted` places of the list into their final order. */
  function shuffle(seed, name, items, wanted) {
    const keyed = hmac256(seed);
    const prefix = tag(name);
    const word = (k, attempt) => keyed(joined(prefix, u64(k), u32(attempt)));
    for (let k = 0; k < wanted; k++) {
      const j = k + uniform(word, k, items.length - k);
      const kept = items[k];
      items[k] = items[j];
      items[j] = kept;
    }
    return items;
  }

  function cards(seed, inner, wanted) {
    const faces = [...inner.faces.map((pair) => pair[0]), 0];
    const counts = [...inner.faces.map((pair) => pair[1]), inner.blanks];
    const items = new Uint8Array(counts.reduce((sum, count) => sum + count, 0));
    let at = 0;
    counts.forEach((count, index) => {
      items.fill(index, at, at + count);
      at += count;
    });
    const known = Math.min(wanted, items.length);
    return Array.from(shuffle(seed, "shuffle", items, known).subarray(0, known), (index) => faces[index]);
  }

  /* people: hex strings, whose order is that of their bytes */
  function lotteryOrder(seed, people) {
    return shuffle(seed, "lottery", [...people].sort(), people.length);
  }

  function registrantsHash(deck, people) {
    return sha256(joined(tag("registrants"), block(deck), u64(people.length), ...[...people].sort().map(unhex)));
  }

  function chainStart(deck, commitment, plan) {
    return sha256(joined(tag("log-start"), block(deck), commitment, plan));
  }

  /* row: the items of the file's log; the seventh, the head after it, is not looked at */
  function link(prev, deck, row) {
    const [ticket, face, at, who, turn, kind] = row;
    const numbers = joined(u64(ticket), u64(face), u64(at));
    const body = joined(prev, numbers, unhex(who), u32(turn), Uint8Array.of(kind));
    return sha256(joined(tag("log-entry"), block(deck), body));
  }

  function headMessage(deck, tickets, head, at) {
    return joined(tag("head"), block(deck), u64(tickets), head, u64(at));
  }

  function registrantsMessage(deck, count, digest, at) {
    return joined(tag("registrants-signed"), block(deck), u64(count), digest, u64(at));
  }

  root.HuigouEncoding = {
    byBytes, cards, chainStart, deckCommitment, deckId, deckSeed, headMessage, hex, link, lotteryOrder, planHash,
    planJson, registrantsHash, registrantsMessage, roundPlanHash, roundSeed, shareCommitment, unhex, uniform,
  };
  if (typeof module === "object" && module.exports) module.exports = root.HuigouEncoding;
})(globalThis);
