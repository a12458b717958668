// 抽奖: ask the server, then turn the wheel to its answer. The same key is asked again until there is an answer.
import { $, $$, call, insist, newKey, now, readJson, store } from "./core.js";
import { Wheel } from "./wheel.js";
import "./countdown.js";

const page = readJson("draw-page");
const holder = $("[data-wheel]");
const go = $("[data-go]");
const say = $("[data-say]");
const skip = $("[data-skip]");
const keyName = `draw:${page.round_id}:${page.category}:${page.turn}`;
const wheel = new Wheel(holder, page.faces);
let turning = false;

function tell(text, extra = "") {
  say.textContent = text;
  if (extra) {
    const line = document.createElement("span");
    line.className = "small";
    line.textContent = extra;
    say.append(document.createElement("br"), line);
  }
}
function label(text, ready = false) {
  go.textContent = text;
  go.disabled = !ready;
  go.classList.toggle("ready", ready);
}

// Fills the result's card from the answer; every place is named by data-r.
function showResult(answer) {
  const card = $(answer.won ? "[data-prize]" : "[data-blank]");
  for (const place of $$("[data-r]", card)) {
    const value = answer[place.dataset.r];
    if (place.tagName === "A") place.href = value;
    else if (value !== undefined) place.textContent = value;
  }
  card.hidden = false;
  card.classList.add("pop");
  $("[data-before]").hidden = true;
  for (const row of $$("[data-face-row]")) row.toggleAttribute("data-hit", row.dataset.faceRow === String(answer.sector));
  label(answer.won ? "已抽中" : "已抽奖");
  tell(answer.headline);
  skip.hidden = true;
  card.focus({ preventScroll: true });
  card.scrollIntoView({ behavior: "smooth", block: "center" });
  if (answer.won && navigator.vibrate) navigator.vibrate([30, 60, 40]);
}

async function draw() {
  if (turning) return;
  turning = true;
  const key = store.get(keyName) || newKey();
  store.set(keyName, key);
  label("抽奖中");
  tell("正在抽奖…");
  try {
    const answer = await insist(
      () => call("/api/v1/draws", { method: "POST", key, body: { category: page.category } }),
      (n) => {
        label("确认中");
        tell("正在确认…", n > 2 ? "网络不稳，正在自动重试。您的这次抽奖已登记同一编号，不会重复，也不会丢失。" : "请稍候，不用再点");
      },
    );
    store.drop(keyName);
    skip.hidden = false;
    tell("转盘转动中…", "结果已由系统确定，点转盘可直接看结果");
    await wheel.land(answer.sector);
    showResult(answer);
  } catch (refusal) {
    refused(refusal);
  } finally {
    turning = false;
  }
}

function refused(refusal) {
  const { code, body } = refusal;
  if (code === "round_not_open" || code === "draw_busy" || body.wait_url) {
    if (body.wait_url) { location.assign(body.wait_url); return; }
    label("抽奖", true);
    tell(refusal.message, refusal.next);
    return;
  }
  store.drop(keyName);
  label("不能抽");
  tell(refusal.message, refusal.next);
  const link = $("[data-refused-link]");
  if (body.url && link) { link.href = body.url; link.textContent = body.url_text || "去办理"; link.hidden = false; }
}

skip.addEventListener("click", () => wheel.skip && wheel.skip());
go.addEventListener("click", draw);
document.addEventListener("due", () => { if (page.can_draw && !page.drawn) { label("抽奖", true); tell("开始了，点“抽奖”"); } });

if (page.drawn) {
  wheel.land = wheel.land.bind(wheel);
} else if (store.get(keyName) && page.can_draw && now() >= page.opens_at) {
  // A draw was sent from here and its answer was lost on the way: fetch the same answer.
  draw();
}
