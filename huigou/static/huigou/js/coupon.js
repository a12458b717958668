// 扫码支付: a code that lives 30 s, and a state that turns by itself within two seconds.
import { $, $$, NoConnection, call, now, pause, readJson, toast } from "./core.js";
import "./countdown.js";

const POLL_MS = 1500;
const page = readJson("coupon-page");
const box = $("[data-qr]");
const shortCode = $("[data-short]");
const bar = $("[data-qr-bar]");
let step = page.code;
let state = page.state;

function showCode(code) {
  step = code;
  $("path", box).setAttribute("d", code.d);
  $("svg", box).setAttribute("viewBox", `0 0 ${code.size} ${code.size}`);
  shortCode.textContent = code.short.replace(/(\d{4})(\d{4})/, "$1 $2");
  box.classList.remove("qr-stale");
}
function moveBar() {
  if (!bar || !step) return;
  const left = Math.max(0, Math.min(1, (step.until - now()) / page.step_ms));
  bar.setAttribute("width", `${(left * 100).toFixed(1)}%`);
  // One step after its own end a code is refused; then it is better not seen.
  const stale = now() > step.until + page.step_ms;
  box.classList.toggle("qr-stale", stale);
  $("[data-stale]").hidden = !stale;
}
function showState(fresh) {
  if (fresh.state === state) return;
  state = fresh.state;
  for (const part of $$("[data-when]")) part.hidden = !part.dataset.when.split(" ").includes(state);
  for (const place of $$("[data-live]")) if (fresh[place.dataset.live] !== undefined) place.textContent = fresh[place.dataset.live];
  const order = ["held", "pending", "used"];
  $$("[data-trail] > li").forEach((mark, i) => {
    mark.toggleAttribute("data-on", i <= order.indexOf(state));
    if (i === order.indexOf(state)) mark.setAttribute("aria-current", "step"); else mark.removeAttribute("aria-current");
  });
  $("[data-state-voice]").textContent = fresh.state_text;
  toast(fresh.state_text);
  if (navigator.vibrate) navigator.vibrate(60);
}

// Stops at the end of the coupon's life; a page in the background asks nothing.
async function live() {
  while (state === "held" || state === "pending") {
    await pause(POLL_MS);
    if (document.hidden) continue;
    try {
      const due = state === "held" && (!step || now() >= step.until);
      const fresh = await call(`/api/v1/coupons/${page.id}/live${due ? "?code=1" : ""}`, { timeoutMs: 5000 });
      if (fresh.code) showCode(fresh.code);
      showState(fresh);
    } catch (trouble) {
      if (!(trouble instanceof NoConnection)) { location.reload(); return; }
    }
  }
}

let lock = null;
async function stayAwake() {
  try {
    if ("wakeLock" in navigator && !document.hidden && state === "held") lock = await navigator.wakeLock.request("screen");
  } catch { lock = null; }
}
document.addEventListener("visibilitychange", stayAwake);

if (box && (state === "held" || state === "pending")) {
  if (step) showCode(step);
  setInterval(moveBar, 250);
  stayAwake();
  live();
}
