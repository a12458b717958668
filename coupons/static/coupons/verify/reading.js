/* Strict reading of the two public files (docs/fairness.md, section 8). Throws an Error that names the place. */
(function (root) {
  "use strict";

  const MAX_CARDS = 50000000;
  const MAX_FACES = 254;
  const utf8 = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  function need(condition, where) {
    if (!condition) throw new Error(where);
  }

  function whole(value, where, least = 0, most = Number.MAX_SAFE_INTEGER) {
    need(Number.isSafeInteger(value) && value >= least && value <= most, where);
    return value;
  }

  function raw(value, where, least = 32, most = least) {
    need(typeof value === "string" && value.length % 2 === 0 && /^[0-9a-f]*$/.test(value), where);
    need(value.length / 2 >= least && value.length / 2 <= most, where);
    return value;
  }

  function name(value, where, slash = true) {
    need(typeof value === "string" && !/[\u0000-\u001f\u007f]/.test(value), where);
    const bytes = utf8.encode(value);
    need(decoder.decode(bytes) === value, where); // half a surrogate pair
    need(bytes.length > 0 && bytes.length <= 200 && (slash || !value.includes("/")), where);
    return value;
  }

  function list(value, where) {
    need(Array.isArray(value), where);
    return value;
  }

  function object(value, where, keys) {
    need(typeof value === "object" && value !== null && !Array.isArray(value), where);
    for (const key of keys) need(Object.prototype.hasOwnProperty.call(value, key), where);
    return value;
  }

  function checkContents(inner, where) {
    object(inner, where, ["mode", "turns", "multiplier", "faces", "blanks"]);
    need(inner.mode === "wheel" || inner.mode === "lottery", where);
    whole(inner.turns, where, 1);
    whole(inner.multiplier, where, 1);
    let total = whole(inner.blanks, where);
    let last = 0;
    need(list(inner.faces, where).length <= MAX_FACES, where);
    for (const pair of inner.faces) {
      need(list(pair, where).length === 2, where);
      last = whole(pair[0], where, last + 1);
      total += whole(pair[1], where, 1);
    }
    need(total <= MAX_CARDS, where);
  }

  function checkRow(row, where) {
    need(list(row, where).length === 7, where);
    for (const i of [0, 1, 2]) whole(row[i], where);
    raw(row[3], where);
    whole(row[4], where, 0, 2 ** 32 - 1);
    whole(row[5], where, 1, 2);
    raw(row[6], where);
  }

  const DECK_KEYS = [
    "category", "contents", "plan_hash", "commitment", "size", "drawn", "head", "heads", "registrants", "log",
  ];

  function checkDeck(deck) {
    object(deck, "牌", DECK_KEYS);
    const where = "牌 " + name(deck.category, "品类", false);
    checkContents(deck.contents, where);
    for (const key of ["plan_hash", "commitment", "head"]) raw(deck[key], where);
    whole(deck.size, where);
    whole(deck.drawn, where);
    for (const row of list(deck.heads, where)) {
      need(list(row, where).length === 4, where);
      checkSigned(row[0], row[1], row[2], row[3], where);
    }
    list(deck.log, where).forEach((row, i) => checkRow(row, `${where} · 第 ${i + 1} 行`));
    if (deck.registrants === null) return;
    const people = object(deck.registrants, where, ["count", "hash", "signed_at_us", "signature", "list"]);
    checkSigned(people.count, people.hash, people.signed_at_us, people.signature, where);
    list(people.list, where).forEach((item) => raw(item, where));
  }

  function checkSigned(number, digest, at, signature, where) {
    whole(number, where);
    raw(digest, where);
    whole(at, where);
    raw(signature, where, 64);
  }

  function unique(values, where) {
    need(values.length > 0 && new Set(values).size === values.length, where);
  }

  const KEYS = [
    "format", "version", "campaign", "round", "opens_at_us", "closes_at_us", "plan_hash", "shares", "entropy",
    "public_key", "decks",
  ];

  function checkDocument(doc) {
    object(doc, "文件", KEYS);
    need(doc.format === "huigou-fairness-round" && doc.version === 1, "格式或版本");
    name(doc.campaign, "活动", false);
    whole(doc.round, "轮次", 1);
    whole(doc.closes_at_us, "时间", whole(doc.opens_at_us, "时间") + 1);
    raw(doc.plan_hash, "计划哈希");
    raw(doc.public_key, "公钥");
    need(list(doc.shares, "份额").length <= 4, "份额");
    for (const share of doc.shares) {
      object(share, "份额", ["custodian", "commitment", "share"]);
      name(share.custodian, "保管人");
      raw(share.commitment, "份额承诺");
      if (share.share !== null) raw(share.share, "份额", 32, 1024);
    }
    unique(doc.shares.map((share) => share.custodian), "保管人");
    if (doc.entropy !== null) {
      object(doc.entropy, "公共随机数", ["source", "value"]);
      name(doc.entropy.source, "公共随机数");
      name(doc.entropy.value, "公共随机数");
    }
    list(doc.decks, "牌").forEach(checkDeck);
    unique(doc.decks.map((deck) => deck.category), "品类");
  }

  /* Return {key, commitments, sources, seals, heads, registrants}; lines of other kinds are left out. */
  function readPublished(text) {
    const out = { key: null, commitments: [], sources: new Map(), seals: new Map(), heads: [], registrants: [] };
    text.split("\n").forEach((line, i) => {
      const where = `公布文件第 ${i + 1} 行`;
      if (!line.trim()) return;
      let item;
      try {
        item = JSON.parse(line);
      } catch {
        throw new Error(where);
      }
      object(item, where, ["kind"]);
      if (item.kind === "key") {
        raw(item.public_key, where);
        need(out.key === null || out.key === item.public_key, where);
        out.key = item.public_key;
      } else if (item.kind === "commitment") {
        name(item.campaign, where, false);
        whole(item.round, where);
        name(item.custodian, where);
        raw(item.commitment, where);
        const same = (other) => ["campaign", "round", "custodian"].every((key) => other[key] === item[key]);
        const earlier = out.commitments.find(same);
        need(!earlier || earlier.commitment === item.commitment, where);
        if (!earlier) out.commitments.push(item);
      } else if (item.kind === "source") {
        name(item.campaign, where, false);
        whole(item.round, where);
        const round = `${item.campaign}/${item.round}`;
        name(item.source, where);
        need((out.sources.get(round) || item.source) === item.source, where);
        out.sources.set(round, item.source);
      } else if (item.kind === "seal") {
        need(typeof item.deck === "string", where);
        const seal = raw(item.plan_hash, where) + raw(item.commitment, where);
        need((out.seals.get(item.deck) || seal) === seal, where);
        out.seals.set(item.deck, seal);
      } else if (item.kind === "head" || item.kind === "registrants") {
        need(typeof item.deck === "string", where);
        const [number, digest] = item.kind === "head" ? [item.tickets, item.head] : [item.count, item.hash];
        checkSigned(number, digest, item.signed_at_us, item.signature, where);
        const row = [number, digest, item.signed_at_us, item.signature];
        (item.kind === "head" ? out.heads : out.registrants).push({ deck: item.deck, row });
      }
    });
    return out;
  }

  root.HuigouReading = { checkDocument, readPublished };
  if (typeof module === "object" && module.exports) module.exports = root.HuigouReading;
})(globalThis);
