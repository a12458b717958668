// 报名摇号: the button opens with the round, and the result comes by itself once the list is drawn.
import { $, pause } from "./core.js";
import "./countdown.js";

// Nobody is sooner for asking sooner: everybody's page comes due in the same second, and asks spread out.
async function again(leastMs, spreadMs) {
  await pause(leastMs + Math.random() * spreadMs);
  while (document.hidden || !navigator.onLine) await pause(1000);
  location.reload();
}
document.addEventListener("due", ({ target }) => {
  if (!target.hasAttribute("data-opening")) { again(2000, 6000); return; }
  const go = $("[data-go]"), title = $("[data-title]");
  $("[data-before]").hidden = true;
  title.textContent = title.dataset.title;
  if (go) go.disabled = false;
});
if ($("[data-soon]")) again(4000, 4000);
