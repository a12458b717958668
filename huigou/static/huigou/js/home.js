// Home: what is left, kept fresh; at the opening the buttons change without a reload.
import { $, $$, call, pause } from "./core.js";
import "./countdown.js";

const EVERY_MS = 20000;

function paint(card, fresh) {
  card.dataset.state = fresh.state;
  const left = $("[data-left]", card);
  if (left) left.textContent = fresh.left_text;
  const bar = $("rect", card);
  if (bar) bar.setAttribute("width", `${fresh.left_percent}%`);
  const go = $("[data-go]", card);
  if (go) {
    $("[data-action]", go).textContent = fresh.action;
    go.href = fresh.url;
    go.className = fresh.primary ? "btn" : "btn btn-line";
  }
}
async function refresh() {
  try {
    const fresh = await call("/api/v1/home");
    for (const card of $$("[data-category]")) {
      const line = fresh.categories.find((each) => each.code === card.dataset.category);
      if (line) paint(card, line);
    }
    const phase = $("[data-phase]");
    if (phase && phase.dataset.phase !== fresh.phase) location.reload();
  } catch { /* the next round will tell */ }
}
// Everybody's page comes due in the same second: change the buttons at once, ask the server a little spread out.
document.addEventListener("due", async (event) => {
  if (event.target.hasAttribute("data-opening")) {
    for (const go of $$("[data-category][data-state=soon] [data-go]")) { $("[data-action]", go).textContent = "去抽奖"; go.className = "btn"; }
  }
  await pause(1500 + Math.random() * 4000);
  refresh();
});
async function keep() {
  for (;;) {
    await pause(EVERY_MS * (0.8 + Math.random() * 0.4));
    if (!document.hidden) await refresh();
  }
}
keep();
