// 绑定: the SMS code (with a small proof of work) and the one question about the place.
import { $, $$, NoConnection, call, pause } from "./core.js";

const form = $("[data-bind]");
const phone = $("[name=phone]", form);
const send = $("[data-send-code]", form);
const sendSays = $("[data-send-says]", form);

function solve(challenge) {
  return new Promise((done, fail) => {
    const worker = new Worker(form.dataset.pow);
    worker.onerror = fail;
    worker.onmessage = ({ data }) => { worker.terminate(); done(data); };
    worker.postMessage({ salt: challenge.salt, challenge: challenge.challenge, maxnumber: challenge.maxnumber });
  });
}
async function proof() {
  const challenge = await call("/api/v1/challenge");
  const number = await solve(challenge);
  return btoa(JSON.stringify({
    algorithm: challenge.algorithm, challenge: challenge.challenge, number, salt: challenge.salt, signature: challenge.signature,
  }));
}
async function coolDown(seconds) {
  for (let left = seconds; left > 0; left -= 1) {
    send.textContent = `${left} 秒后可重发`;
    await pause(1000);
  }
  send.textContent = "重新获取";
  send.disabled = false;
}
if (send) send.addEventListener("click", async () => {
  const digits = phone.value.replace(/\D/g, "").replace(/^86(?=1\d{10}$)/, "");
  if (!/^1[3-9]\d{9}$/.test(digits)) {
    sendSays.textContent = "请先填写 11 位手机号";
    phone.setAttribute("aria-invalid", "true");
    phone.focus();
    return;
  }
  phone.removeAttribute("aria-invalid");
  send.disabled = true;
  send.textContent = "正在发送…";
  try {
    const answer = await call("/api/v1/sms-codes", {
      method: "POST", body: { phone: digits, purpose: form.dataset.bind, altcha: await proof() }, timeoutMs: 15000,
    });
    sendSays.textContent = answer.message;
    if (answer.demo_code) {
      $("[data-demo-code]").textContent = answer.demo_code;
      $("[data-demo]").hidden = false;
    }
    $("[name=code]", form).focus();
    coolDown(answer.retry_after_s);
  } catch (trouble) {
    sendSays.textContent = trouble instanceof NoConnection ? "网络不通，没有发出。请检查网络后再点一次。" : `${trouble.message}。${trouble.next || ""}`;
    if (trouble.body && trouble.body.retry_after_s) coolDown(trouble.body.retry_after_s);
    else { send.disabled = false; send.textContent = "获取验证码"; }
  }
});

// The browser is asked for the place only when the person taps; "no" leaves the declaration open.
const locate = $("[data-locate]");
if (locate) {
  const says = $("[data-locate-says]");
  locate.addEventListener("click", () => {
    if (!navigator.geolocation) { says.textContent = "这台手机不能定位，请勾选下面的声明。"; return; }
    locate.classList.add("busy");
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        locate.classList.remove("busy");
        $("[name=longitude]", form).value = coords.longitude.toFixed(5);
        $("[name=latitude]", form).value = coords.latitude.toFixed(5);
        says.textContent = "已取得位置，提交后只判断是否在县域内，不保存坐标。";
        locate.textContent = "已定位";
        locate.disabled = true;
        for (const box of $$("[name=declared]", form)) box.required = false;
      },
      () => {
        locate.classList.remove("busy");
        says.textContent = "没有取得位置。您可以勾选下面的声明，或到就近的村级服务站办理。";
      },
      { enableHighAccuracy: false, timeout: 10000, maximumAge: 300000 },
    );
  });
}
