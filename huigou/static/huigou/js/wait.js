// 排队: the place is kept by the server; this page only reads it, and goes on when it is called.
import { $, Refused, call, insist, pause } from "./core.js";

const page = $("[data-wait]");
async function wait() {
  for (;;) {
    const answer = await insist(
      () => call(page.dataset.wait),
      () => { $("[data-wait-says]").textContent = "网络不稳，您的位置仍然保留。"; },
    );
    if (answer.admitted) { location.replace(answer.url); return; }
    $("[data-position]").textContent = answer.position.toLocaleString("zh-CN");
    $("[data-wait-says]").textContent = answer.message;
    document.title = `排队第 ${answer.position} 位`;
    await pause(Math.max(1000, answer.poll_ms || 3000) * (0.9 + Math.random() * 0.2));
  }
}
// No round to wait for, or nobody bound here any more: the server knows where this page leads now.
wait().catch(async (trouble) => {
  if (!(trouble instanceof Refused)) throw trouble;
  $("[data-wait-says]").textContent = `${trouble.message}。${trouble.next}`;
  await pause(3000);
  location.reload();
});
