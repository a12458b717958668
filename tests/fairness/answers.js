/* Answer the tests' tasks with the code that the public page runs; for node and for a browser. */
(function (root) {
  "use strict";

  const { ed25519Verify } = root.HuigouCrypto;
  const code = root.HuigouEncoding;

  function vectors(given, stated) {
    const { campaign, round, category, contents, entropy } = given;
    const shares = Object.entries(given.shares).map(([name, share]) => [name, code.unhex(share)]);
    const commitments = shares.map(([name, share]) => [name, code.shareCommitment(campaign, round, name, share)]);
    const deck = code.deckId(given, category);
    const plan = code.planHash(given, category, contents);
    const commitment = code.deckCommitment(deck, plan, commitments, entropy);
    const roundSeed = code.roundSeed(campaign, round, shares, entropy);
    const seed = code.deckSeed(roundSeed, category);
    const start = code.chainStart(deck, commitment, plan);
    let head = start;
    const log = stated.log.map((row) => {
      head = code.link(head, deck, row);
      return [...row.slice(0, 6), code.hex(head)];
    });
    const listed = code.registrantsHash(deck, given.registrants);
    const headMessage = code.headMessage(deck, log.length, head, given.signed_at_us);
    const listMessage = code.registrantsMessage(deck, given.registrants.length, listed, given.signed_at_us);
    const key = code.unhex(stated.public_key);
    return {
      deck_id: deck,
      share_commitments: Object.fromEntries(commitments.map(([name, value]) => [name, code.hex(value)])),
      plan_json: code.planJson(given, category, contents),
      plan_hash: code.hex(plan),
      round_plan_hash: code.hex(code.roundPlanHash({ ...given, decks: [{ category, contents }] })),
      deck_commitment: code.hex(commitment),
      round_seed: code.hex(roundSeed),
      deck_seed: code.hex(seed),
      cards: code.cards(seed, contents, 1000),
      registrants_hash: code.hex(listed),
      lottery_order: code.lotteryOrder(seed, given.registrants),
      chain_start: code.hex(start),
      log,
      head_message: code.hex(headMessage),
      registrants_message: code.hex(listMessage),
      signatures_hold: [
        ed25519Verify(key, headMessage, code.unhex(stated.head_signature)),
        ed25519Verify(key, listMessage, code.unhex(stated.registrants_signature)),
      ],
    };
  }

  function uniform({ words, span }) {
    const digests = words.map(code.unhex);
    return code.uniform((k, attempt) => digests[attempt], 0, span);
  }

  function answer(task) {
    if (task.task === "vectors") return vectors(task.inputs, task.answers);
    if (task.task === "uniform") return uniform(task);
    if (task.task === "signatures") {
      return task.items.map((item) => ed25519Verify(...item.map(code.unhex)));
    }
    const published = task.published === null ? null : root.HuigouVerify.readPublished(task.published);
    return root.HuigouVerify.verify(task.document, { published });
  }

  root.answerAll = async (tasks) => {
    const found = [];
    for (const task of tasks) found.push(await answer(task));
    return found;
  };
})(globalThis);
