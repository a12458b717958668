// <time data-until="ms"> counts down on the server's clock and fires "due" once. data-form: clock (default), words or tiles.
import { $$, now } from "./core.js";

const two = (n) => String(n).padStart(2, "0");
function clock(seconds) {
  const days = Math.floor(seconds / 86400);
  const rest = `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return days ? `${days}天 ${rest}` : rest;
}
function words(seconds) {
  if (seconds >= 86400) return `${Math.floor(seconds / 86400)} 天 ${Math.floor(seconds / 3600) % 24} 小时`;
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)} 小时 ${Math.floor(seconds / 60) % 60} 分`;
  return seconds >= 60 ? `${Math.floor(seconds / 60)} 分 ${seconds % 60} 秒` : `${seconds} 秒`;
}

// Days only while there are any; each figure in a box of its own, its unit beside it.
function tiles(place, seconds) {
  const parts = [
    [Math.floor(seconds / 86400), "天"], [Math.floor(seconds / 3600) % 24, "时"], [Math.floor(seconds / 60) % 60, "分"], [seconds % 60, "秒"],
  ].slice(seconds < 86400 ? 1 : 0);
  if (place.children.length !== 2 * parts.length) {
    place.replaceChildren(...parts.flatMap(([, unit]) => {
      const figure = document.createElement("b"), name = document.createElement("span");
      name.textContent = unit;
      return [figure, name];
    }));
  }
  parts.forEach(([figure], i) => {
    const text = i || parts.length < 4 ? two(figure) : String(figure);
    if (place.children[2 * i].textContent !== text) place.children[2 * i].textContent = text;
  });
}

let timer = 0;
export function tick() {
  clearTimeout(timer);
  const at = now();
  let live = 0;
  for (const place of $$("[data-until]")) {
    if (place.dataset.due) continue;
    const leftMs = Number(place.dataset.until) - at;
    const seconds = Math.max(0, Math.ceil(leftMs / 1000));
    if (place.dataset.form === "tiles") {
      tiles(place, seconds);
    } else {
      const text = (place.dataset.form === "words" ? words : clock)(seconds);
      if (place.textContent !== text) place.textContent = text;
    }
    if (leftMs <= 0) {
      place.dataset.due = "1";
      place.dispatchEvent(new CustomEvent("due", { bubbles: true }));
      if (place.dataset.then) place.textContent = place.dataset.then;
    } else {
      live += 1;
    }
  }
  // Wake on the second's edge of the server's clock, so that 9:00:00 is 9:00:00.
  if (live) timer = setTimeout(tick, 1000 - (at % 1000) + 5);
}
document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
addEventListener("pageshow", tick);
// Not before the module that imports this one listens for "due": a page whose scripts arrive late is due at once.
setTimeout(tick);
