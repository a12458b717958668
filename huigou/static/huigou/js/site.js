// On every page: 长者模式, the offline strip, buttons that act once.
import { $, $$, toast } from "./core.js";

const root = document.documentElement;

function showLarge(on) {
  root.toggleAttribute("data-large", on);
  for (const button of $$("[data-large-switch]")) {
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? "标准版" : "长者模式";
  }
}
for (const button of $$("[data-large-switch]")) {
  button.addEventListener("click", () => {
    const on = !root.hasAttribute("data-large");
    document.cookie = `large=${on ? 1 : 0}; path=/; max-age=31536000; samesite=lax`;
    showLarge(on);
    toast(on ? "已切换为长者模式，字更大、更简洁" : "已恢复标准字体");
  });
}

const strip = $("[data-offline]");
function showLine() { if (strip) strip.hidden = navigator.onLine; }
addEventListener("online", showLine);
addEventListener("offline", showLine);
showLine();

// A double tap must not post twice; the back button brings the button back to life.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method === "get") return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  const question = (event.submitter && event.submitter.dataset.confirm) || form.dataset.confirm;
  if (question && !confirm(question)) { event.preventDefault(); return; }
  form.dataset.sent = "1";
  if (event.submitter) event.submitter.classList.add("busy");
});
// Back leads to a picture of what was: a page that shows state is asked for anew, once.
const [arrival] = performance.getEntriesByType("navigation");
addEventListener("pageshow", ({ persisted }) => {
  if (root.hasAttribute("data-fresh") && (persisted || (arrival && arrival.type === "back_forward"))) { location.reload(); return; }
  for (const form of $$("form[data-sent]")) delete form.dataset.sent;
  for (const button of $$(".btn.busy")) button.classList.remove("busy");
});

for (const button of $$("[data-print]")) button.addEventListener("click", () => print());
for (const button of $$("[data-opens]")) {
  button.addEventListener("click", () => document.getElementById(button.dataset.opens).showModal());
}
for (const button of $$("[data-closes]")) button.addEventListener("click", () => button.closest("dialog").close());
