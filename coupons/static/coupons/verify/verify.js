/* The checks of docs/fairness.md, section 9. HuigouVerify.verify(document, options) resolves to the findings. */
(function (root) {
  "use strict";

  const code = root.HuigouEncoding;
  const NOBODY = "0".repeat(64);
  const VOID = 2;
  const HEADS_PER_PAUSE = 50;

  function newReport() {
    const kinds = new Map();
    const report = (kind, message, deck = null, ticket = null, level = "error") => {
      const place = JSON.stringify([kind, deck]);
      if (!kinds.has(place)) kinds.set(place, { code: kind, deck, ticket, message, level, count: 0 });
      kinds.get(place).count++;
    };
    report.findings = () => [...kinds.values()];
    return report;
  }

  function checkKey(report, doc, published, pinned) {
    const outside = published && published.key;
    const key = pinned || outside || doc.public_key;
    if (doc.public_key !== key || (outside && outside !== key)) {
      report("key", "文件里的签名公钥与事先公布的不是同一个");
    }
    return code.unhex(key);
  }

  function checkShares(report, doc, published) {
    for (const { custodian, commitment, share } of doc.shares) {
      if (share === null) {
        report("not-revealed", `“${custodian}”的份额尚未揭示，牌序还不能核对`, null, null, "note");
        continue;
      }
      const right = code.shareCommitment(doc.campaign, doc.round, custodian, code.unhex(share));
      if (code.hex(right) !== commitment) {
        report("share-commitment", `“${custodian}”揭示的份额与其承诺不符：种子被换过`);
      }
    }
    if (!published) {
      const message = "没有提供外部保存的公布文件：整体改写和截尾只能靠本文件内的签名";
      report("heads-not-given", message, null, null, "note");
      return;
    }
    const ahead = published.commitments.filter((item) => item.campaign === doc.campaign && item.round === doc.round);
    const stated = new Map(doc.shares.map((share) => [share.custodian, share.commitment]));
    if (!ahead.length) {
      report("commitments-not-published", "公布文件里没有本轮的份额承诺", null, null, "note");
    } else if (ahead.length !== stated.size || ahead.some((item) => stated.get(item.custodian) !== item.commitment)) {
      report("share-published", "份额承诺（保管人或承诺值）与事先公布的不同");
    }
  }

  function checkSource(report, doc, published) {
    const named = published && published.sources.get(`${doc.campaign}/${doc.round}`);
    if (named && (doc.entropy === null || doc.entropy.source !== named)) {
      report("entropy-published", "公共随机数的来源与事先公布的不同");
    }
  }

  function roundSeed(doc) {
    if (doc.shares.some((share) => share.share === null)) return null;
    const shares = doc.shares.map((share) => [share.custodian, code.unhex(share.share)]);
    return code.roundSeed(doc.campaign, doc.round, shares, doc.entropy);
  }

  function checkSeal(report, doc, deck, id, published) {
    const size = deckSize(deck);
    if (deck.size !== size) report("size", `牌的张数写作 ${deck.size}，按内容应为 ${size}`, id);
    if (code.hex(code.planHash(doc, deck.category, deck.contents)) !== deck.plan_hash) {
      report("plan-hash", "牌的内容（面额、张数、空白、时间、倍数）与封存时的哈希不符", id);
    }
    const commitments = doc.shares.map((share) => [share.custodian, code.unhex(share.commitment)]);
    const right = code.deckCommitment(id, code.unhex(deck.plan_hash), commitments, doc.entropy);
    if (code.hex(right) !== deck.commitment) {
      report("commitment", "封存承诺与份额承诺、公共随机数、内容三者不符", id);
    }
    const sealed = published && published.seals.get(id);
    if (sealed && sealed !== deck.plan_hash + deck.commitment) {
      report("seal-published", "计划哈希或封存承诺与发牌时公布的不同", id);
    }
  }

  function deckSize(deck) {
    return deck.contents.faces.reduce((sum, pair) => sum + pair[1], deck.contents.blanks);
  }

  function checkOrder(report, deck, id) {
    const size = deckSize(deck);
    const lost = new Set();
    let expected = 0;
    for (const [ticket, , , , , kind] of deck.log) {
      if (ticket >= size) {
        report("ticket-range", `奖票 ${ticket} 超出牌的张数`, id, ticket);
      } else if (ticket >= expected) {
        for (; expected < ticket; expected++) lost.add(expected);
        expected = ticket + 1;
      } else if (!lost.delete(ticket)) {
        report("ticket-repeated", `奖票 ${ticket} 出现了不止一次`, id, ticket);
      } else if (kind !== VOID) {
        report("ticket-order", `奖票 ${ticket} 排在了更大的号码之后`, id, ticket);
      }
      if (kind === VOID) report("void", `奖票 ${ticket} 列为作废，其券退回奖池`, id, ticket, "note");
    }
    for (const ticket of [...lost].sort((a, b) => a - b)) report("ticket-missing", `缺奖票 ${ticket}`, id, ticket);
  }

  function checkCards(report, deck, id, seed) {
    const wanted = deck.log.reduce((most, row) => Math.max(most, row[0] + 1), 0);
    const right = code.cards(seed, deck.contents, wanted);
    for (const [ticket, face] of deck.log) {
      if (ticket < right.length && right[ticket] !== face) {
        report("card", `奖票 ${ticket} 应是 ${right[ticket]} 分的牌，日志写作 ${face} 分`, id, ticket);
      }
    }
  }

  function checkPeople(report, doc, deck, id) {
    const limit = deck.contents.turns;
    const turns = new Set();
    const winners = new Set();
    let latest = 0;
    for (const [ticket, face, at, who, turn, kind] of deck.log) {
      const wrong = (kindOfFault, message) => report(kindOfFault, `奖票 ${ticket} ${message}`, id, ticket);
      if (at < latest) wrong("time-backwards", "的时间早于前一条");
      latest = Math.max(latest, at);
      if (kind === VOID) {
        if (who !== NOBODY || turn !== 0) wrong("void-owned", "已作废，却写着持有人");
        continue;
      }
      if (at < doc.opens_at_us || at >= doc.closes_at_us) wrong("time-window", "的时间不在本轮之内");
      if (turn < 1 || turn > limit) wrong("turn-limit", `是同一人的第 ${turn} 次，限 ${limit} 次`);
      if (turns.has(who + turn)) wrong("turn-repeated", "与前面某张是同一人的同一次抽奖");
      turns.add(who + turn);
      if (face && winners.has(who)) wrong("second-win", "让同一人在本品类第二次中奖");
      if (face) winners.add(who);
    }
  }

  function checkLinks(report, deck, id, start) {
    let prev = start;
    for (const row of deck.log) {
      if (code.hex(code.link(code.unhex(prev), id, row)) !== row[6]) {
        report("link", `奖票 ${row[0]} 与哈希链不符：此条或其前一条被改动、删去或插入`, id, row[0]);
      }
      prev = row[6];
    }
    const count = deck.log.length;
    if (deck.drawn !== count) {
      report("drawn", `写明抽出 ${deck.drawn} 张，日志有 ${count} 条`, id, Math.min(deck.drawn, count));
    }
    if (deck.head !== prev) report("head", "写明的链头与日志最后一条不符", id, count);
  }

  function distinct(rows) {
    return [...new Map(rows.map((row) => [row.join(), row])).values()];
  }

  async function checkHeads(context, deck, id, start) {
    const { report, doc, published } = context;
    const outside = published ? published.heads.filter((head) => head.deck === id).map((head) => head.row) : [];
    if (published && !outside.length) report("no-published-head", "公布文件里没有这副牌的签名", id);
    const known = distinct([...deck.heads, ...outside]).sort((a, b) => a[0] - b[0] || a[2] - b[2]);
    const signed = [];
    for (const row of known) {
      const [tickets, head, at, signature] = row;
      if (await context.holds(code.headMessage(id, tickets, code.unhex(head), at), signature)) signed.push(row);
      else report("signature", `第 ${tickets} 张之后的链头签名无效`, id, tickets);
    }
    checkChainAgainst(report, deck, id, start, signed);
    noteSigningTimes(report, doc, deck, id, signed);
  }

  function checkChainAgainst(report, deck, id, start, signed) {
    let matched = 0;
    for (const [tickets, head] of signed) {
      if (tickets === 0) {
        if (head !== start) {
          report("seal-mismatch", "签名公布的封存承诺与本文件不同：种子、公共随机数或内容被换过", id);
        }
      } else if (tickets > deck.log.length) {
        const message = `已签名公布过 ${tickets} 条，日志只有 ${deck.log.length} 条：尾部被截去`;
        report("tail-cut", message, id, deck.log.length);
      } else if (head !== deck.log[tickets - 1][6]) {
        const message = `第 ${matched + 1} 至 ${tickets} 条之间与签名公布的链头不符：日志被改写过`;
        report("head-mismatch", message, id, deck.log[matched][0]);
      } else {
        matched = tickets;
      }
    }
  }

  function noteSigningTimes(report, doc, deck, id, signed) {
    const seals = signed.filter((row) => row[0] === 0).map((row) => row[2]);
    if (!seals.length) {
      report("seal-missing", "没有开抽之前的签名，不能证明封存在先", id, null, "note");
    } else if (seals.every((at) => at >= doc.opens_at_us)) {
      report("seal-late", "封存承诺的签名晚于开抽时间", id, null, "note");
    }
    const covered = signed.reduce((most, row) => Math.max(most, row[0]), 0);
    if (covered < deck.log.length) {
      report("tail-unsigned", `第 ${covered} 条以后的记录没有签名覆盖`, id, covered, "note");
    }
  }

  async function checkLottery(context, deck, id, seed) {
    const { report, published } = context;
    const stated = deck.registrants;
    if (stated === null) return report("registrants", "摇号的牌没有报名名单", id);
    const people = stated.list;
    if (people.some((who, i) => i > 0 && people[i - 1] >= who)) {
      return report("registrants", "报名名单没有按升序排列，或有重复", id);
    }
    if (people.length !== stated.count || code.hex(code.registrantsHash(id, people)) !== stated.hash) {
      report("registrants", "报名名单与公布的人数或哈希不符", id);
    }
    const outside = published ? published.registrants.filter((item) => item.deck === id).map((item) => item.row) : [];
    const own = [stated.count, stated.hash, stated.signed_at_us, stated.signature];
    for (const [count, digest, at, signature] of distinct([own, ...outside]).sort((a, b) => a[2] - b[2])) {
      if (!(await context.holds(code.registrantsMessage(id, count, code.unhex(digest), at), signature))) {
        report("signature", "报名名单的签名无效", id);
      } else if (count !== stated.count || digest !== stated.hash) {
        report("registrants", "报名名单与签名公布的不同", id);
      }
    }
    if (deck.log.some((row) => row[2] < stated.signed_at_us)) {
      report("registrants-late", "报名名单的签名晚于摇号", id);
    }
    const due = Math.min(deckSize(deck), people.length);
    if (due !== deck.log.length) {
      const message = `应有 ${due} 张奖票，日志有 ${deck.log.length} 条`;
      report("lottery-incomplete", message, id, deck.log.length);
    }
    const order = seed ? code.lotteryOrder(seed, people) : null;
    for (const [ticket, , , who, , kind] of order ? deck.log : []) {
      if (kind !== VOID && order[ticket] !== who) {
        report("lottery-order", `奖票 ${ticket} 按摇号次序不属于此人`, id, ticket);
      }
    }
  }

  /* options: published (from readPublished), key (hex), checkSignature(key, message, signature), onProgress(text) */
  async function verify(doc, options = {}) {
    const report = newReport();
    const progress = options.onProgress || (() => undefined);
    try {
      root.HuigouReading.checkDocument(doc);
    } catch (wrong) {
      report("format", `文件不合格式：${wrong.message}`);
      return report.findings();
    }
    const published = options.published || null;
    const key = checkKey(report, doc, published, options.key);
    const check = options.checkSignature || root.HuigouCrypto.ed25519Verify;
    let checked = 0;
    const holds = async (message, signature) => {
      if (++checked % HEADS_PER_PAUSE === 0) await progress(`已核对 ${checked} 个签名`);
      return check(key, message, code.unhex(signature));
    };
    const context = { report, doc, published, holds };
    checkShares(report, doc, published);
    checkSource(report, doc, published);
    const seed = roundSeed(doc);
    if (code.hex(code.roundPlanHash(doc)) !== doc.plan_hash) report("plan-hash", "本轮计划的哈希与各品类内容不符");
    for (const deck of doc.decks) {
      const id = code.deckId(doc, deck.category);
      await progress(`正在核对 ${deck.category}：${deck.log.length} 条`);
      const ownSeed = seed && code.deckSeed(seed, deck.category);
      checkSeal(report, doc, deck, id, published);
      checkOrder(report, deck, id);
      if (ownSeed) checkCards(report, deck, id, ownSeed);
      checkPeople(report, doc, deck, id);
      const start = code.hex(code.chainStart(id, code.unhex(deck.commitment), code.unhex(deck.plan_hash)));
      checkLinks(report, deck, id, start);
      await checkHeads(context, deck, id, start);
      if (deck.contents.mode === "lottery") await checkLottery(context, deck, id, ownSeed);
    }
    const present = new Set(doc.decks.map((deck) => code.deckId(doc, deck.category)));
    const expected = new Set(published ? [...published.heads.map((head) => head.deck), ...published.seals.keys()] : []);
    for (const id of [...expected].sort(code.byBytes)) {
      if (id.startsWith(code.deckId(doc, "")) && !present.has(id)) {
        report("deck-missing", "已签名公布过的牌不在文件里", id);
      }
    }
    return report.findings();
  }

  root.HuigouVerify = { verify, readPublished: root.HuigouReading.readPublished };
  if (typeof module === "object" && module.exports) module.exports = root.HuigouVerify;
})(globalThis);
