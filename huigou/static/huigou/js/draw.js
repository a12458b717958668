// 抽奖: ask the server, then turn the wheel to its answer. The same key is asked again until there is an answer.
import { $, $$, calm, call, insist, newKey, now, pause, readJson, store, yuan } from "./core.js";
import { Wheel } from "./wheel.js";
import "./countdown.js";

const page = readJson("draw-page");
const holder = $("[data-wheel]");
const go = $("[data-go]");
const say = $("[data-say]");
const skip = $("[data-skip]");
const keyName = () => `draw:${page.round_id}:${page.category}:${page.turn}`;
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

// The answer in the words of the result's card.
function inWords(answer) {
  return {
    won: answer.face_fen > 0,
    sector: page.faces.findIndex((face) => face.fen === answer.face_fen),
    face: yuan(answer.face_fen),
    threshold: yuan(answer.threshold_fen),
    expires: answer.expires_text,
    ticket: `第 ${answer.ticket} 号`,
    receipt: answer.entry,
    url: answer.coupon_id ? page.coupon_url.replace(/0$/, answer.coupon_id) : "",
    next_round: page.next_round,
  };
}
// Every place of the card is named by data-r.
function showResult(result) {
  const card = $(result.won ? "[data-prize]" : "[data-blank]");
  for (const place of $$("[data-r]", card)) {
    const value = result[place.dataset.r];
    if (place.tagName === "A") place.href = value;
    else place.textContent = value;
  }
  card.hidden = false;
  card.classList.add("pop");
  $("[data-before]").hidden = true;
  for (const row of $$("[data-face-row]")) row.toggleAttribute("data-hit", row.dataset.faceRow === String(result.sector));
  const again = !result.won && page.turn < page.turns;
  page.turn += 1;
  label(result.won ? "已抽中" : again ? "再抽" : "已抽奖", again);
  tell(
    result.won ? `恭喜，抽中 ${result.face} 元${page.name}消费券` : "谢谢参与",
    result.won ? `满 ${result.threshold} 元可用，${result.expires}到期` : result.next_round,
  );
  skip.hidden = true;
  card.focus({ preventScroll: true });
  card.scrollIntoView({ behavior: calm() ? "auto" : "smooth", block: "nearest" });
  if (result.won && navigator.vibrate) navigator.vibrate([30, 60, 40]);
}

async function draw() {
  if (turning) return;
  turning = true;
  const key = store.get(keyName()) || newKey();
  store.set(keyName(), key);
  const address = `/api/v1/draws?category=${page.category}&turn=${page.turn}`;
  label("抽奖中");
  tell("正在抽奖…");
  try {
    const answer = await insist(
      () => call(address, { method: "POST", headers: { "Idempotency-Key": key } }),
      (n) => {
        label("确认中");
        tell("正在确认…", n > 2 ? "网络不稳，正在自动重试。您的这次抽奖已登记同一编号，不会重复，也不会丢失。" : "请稍候，不用再点");
      },
    );
    store.drop(keyName());
    const result = inWords(answer);
    if (!calm() && result.sector >= 0) {
      skip.hidden = false;
      label("转动中");
      tell("转盘转动中…", "结果已由系统确定，点转盘可直接看结果");
    }
    // A face that this page was not drawn with (the round was dealt since) is told in words alone.
    if (result.sector >= 0) await wheel.land(result.sector);
    showResult(result);
  } catch (refusal) {
    refused(refusal);
  } finally {
    turning = false;
  }
}

async function refused(refusal) {
  const { code, body } = refusal;
  if (body.wait_url) { location.assign(body.wait_url); return; }
  store.drop(keyName());
  tell(refusal.message, refusal.next);
  if (code === "round_not_open") {
    // Our clock was a moment ahead of the database's, which decides.
    label("请稍候");
    await pause(1000);
    label("抽奖", true);
    tell("开始了，点“抽奖”");
    return;
  }
  label("不能抽");
  const way = { not_bound: ["/m/bind", "去绑定"], place_needed: ["/m/place", "确认所在地"], already_won: ["/m/coupons", "看消费券"] }[code];
  const link = $("[data-refused-link]");
  if (way) {
    link.href = way[0] === "/m/coupons" ? way[0] : `${way[0]}?next=${location.pathname}`;
    link.textContent = way[1];
    link.hidden = false;
  }
}

skip.addEventListener("click", () => wheel.skip && wheel.skip());
go.addEventListener("click", draw);
document.addEventListener("due", () => { if (page.can_draw && !page.drawn) { label("抽奖", true); tell("开始了，点“抽奖”"); } });

if (page.sector !== null) {
  wheel.show(page.sector);
} else if (store.get(keyName()) && page.can_draw && now() >= page.opens_at) {
  // A draw was sent from here and its answer was lost on the way: fetch the same answer.
  draw();
}
