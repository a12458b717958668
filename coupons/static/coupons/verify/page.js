/* The page on which anybody verifies a round in the browser; everything is computed on the visitor's device. */
(function () {
  "use strict";

  const KEY_FORM = /^[0-9a-f]{64}$/;
  const LEAST_RECEIPT = 8;
  const MOST_ROWS = 50;
  const SHOWN_DIGITS = 16;
  const find = (id) => document.getElementById(id);
  let shown = null;

  function pause() {
    return new Promise((resolve) => setTimeout(resolve, 0));
  }

  async function say(text) {
    find("verify-progress").textContent = text;
    await pause();
  }

  async function fetched(url) {
    const response = await fetch(url, { credentials: "same-origin" });
    if (!response.ok) throw new Error(`取不到 ${url}（${response.status}）`);
    return response.text();
  }

  async function sourceText() {
    const picked = find("verify-file").files[0];
    if (picked) return picked.text();
    const round = find("verify-round");
    if (round && round.value) return fetched(round.value);
    throw new Error("请先选择轮次或揭示文件");
  }

  async function publishedText() {
    const input = find("verify-heads");
    if (input.files[0]) return input.files[0].text();
    return input.dataset.url ? fetched(input.dataset.url) : null;
  }

  /* The browser's own Ed25519 where there is one: several times faster than ours, and the same answers. */
  function quickCheck() {
    const own = globalThis.HuigouCrypto.ed25519Verify;
    const keys = new Map();
    const imported = (key) => {
      const name = key.join();
      if (!keys.has(name)) keys.set(name, crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]));
      return keys.get(name);
    };
    return async (key, message, signature) => {
      if (!globalThis.crypto || !crypto.subtle) return own(key, message, signature);
      try {
        return await crypto.subtle.verify("Ed25519", await imported(key), signature, message);
      } catch {
        return own(key, message, signature);
      }
    };
  }

  function cell(text, className) {
    const td = document.createElement("td");
    td.textContent = text;
    if (className) td.className = className;
    return td;
  }

  function fill(id, rows) {
    const table = find(id);
    table.tBodies[0].replaceChildren(...rows.map((cells) => {
      const tr = document.createElement("tr");
      tr.append(...cells);
      return tr;
    }));
    table.closest(".table-wrap").hidden = rows.length === 0;
  }

  function categoryOf(deck) {
    return deck === null ? "整轮" : deck.split("/")[2];
  }

  function findingRow(item) {
    const times = item.count > 1 ? `（同类共 ${item.count} 处）` : "";
    const ticket = item.ticket === null ? "" : String(item.ticket);
    const kind = item.level === "error" ? "错误" : "说明";
    return [cell(`${kind} ${item.code}`), cell(categoryOf(item.deck)), cell(ticket, "n"), cell(item.message + times)];
  }

  function showResult(doc, findings, seconds) {
    const errors = findings.filter((item) => item.level === "error");
    const drawn = errors.some((item) => item.code === "format") ? 0
      : doc.decks.reduce((sum, deck) => sum + deck.log.length, 0);
    const verdict = find("verify-verdict");
    verdict.className = errors.length ? "note note-bad" : "note note-good";
    const sealed = findings.some((item) => item.code === "not-revealed");
    verdict.firstElementChild.textContent = errors.length
      ? `核验未通过：${errors.length} 类错误`
      : `${sealed ? "已核对的相符，牌序要等份额揭示后再核对" : "全部相符"}：${drawn} 次抽奖，用时 ${seconds.toFixed(1)} 秒`;
    fill("verify-findings", findings.map(findingRow));
    const readable = !errors.some((item) => item.code === "format");
    shown = readable ? doc : null;
    fill("verify-decks", readable ? doc.decks.map((deck) => [
      cell(deck.category), cell(String(deck.size), "n"), cell(String(deck.log.length), "n"),
      cell(deck.commitment, "hash"),
    ]) : []);
    find("verify-result").hidden = false;
    find("verify-lookup").hidden = !readable;
    showRows();
  }

  function showRows() {
    const wanted = find("verify-receipt").value.trim().toLowerCase();
    const rows = [];
    if (shown && wanted.length >= LEAST_RECEIPT) {
      for (const deck of shown.decks) {
        for (const row of deck.log) {
          if (rows.length < MOST_ROWS && (row[3].startsWith(wanted) || row[6].startsWith(wanted))) {
            const at = new Date(row[2] / 1000).toLocaleString("zh-CN", { timeZone: "Asia/Shanghai" });
            rows.push([
              cell(deck.category), cell(String(row[0]), "n"), cell((row[1] / 100).toFixed(2), "n"), cell(at),
              cell(row[6].slice(0, SHOWN_DIGITS) + "…"),
            ]);
          }
        }
      }
    }
    fill("verify-rows", rows);
  }

  async function run() {
    const key = find("verify-key").value.trim().toLowerCase();
    if (key && !KEY_FORM.test(key)) throw new Error("签名公钥要是 64 位十六进制");
    await say("正在读取…");
    /* What was published first, then the round: while it runs, the log must not end before the heads do. */
    const text = await publishedText();
    const doc = JSON.parse(await sourceText());
    const published = text === null ? null : globalThis.HuigouVerify.readPublished(text);
    const started = performance.now();
    const options = { published, checkSignature: quickCheck(), onProgress: say };
    if (key) options.key = key;
    const findings = await globalThis.HuigouVerify.verify(doc, options);
    await say("");
    showResult(doc, findings, (performance.now() - started) / 1000);
  }

  find("verify-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = find("verify-start");
    button.disabled = true;
    find("verify-result").hidden = true;
    find("verify-lookup").hidden = true;
    try {
      await run();
    } catch (wrong) {
      await say(wrong instanceof SyntaxError ? "文件不是 JSON" : `核验没有进行：${wrong.message}`);
    } finally {
      button.disabled = false;
    }
  });
  find("verify-receipt").addEventListener("input", showRows);
})();
