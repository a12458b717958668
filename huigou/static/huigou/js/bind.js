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

// The place is asked for only when the person taps; "no" leaves the declaration open. WeChat says where in GCJ-02.
const locate = $("[data-locate]");
async function fromWeixin(address) {
  const { weixin } = await import("./wx.js");
  const wx = await weixin(address, ["getLocation"]);
  return new Promise((done, fail) => {
    wx.getLocation({
      type: "gcj02",
      success: (found) => done({ ...found, datum: "gcj02" }),
      cancel: () => fail(new Error("cancelled")),
      fail: () => fail(new Error("failed")),
    });
  });
}
function fromBrowser() {
  return new Promise((done, fail) => {
    if (!navigator.geolocation) { fail(new Error("none")); return; }
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => done({ longitude: coords.longitude, latitude: coords.latitude, accuracy: coords.accuracy, datum: "wgs84" }),
      fail,
      { enableHighAccuracy: false, timeout: 10000, maximumAge: 300000 },
    );
  });
}
if (locate) {
  const says = $("[data-locate-says]");
  locate.addEventListener("click", async () => {
    locate.classList.add("busy");
    const weixinScript = form.dataset.wxScript;
    try {
      const found = await (weixinScript ? fromWeixin(weixinScript).catch(fromBrowser) : fromBrowser());
      $("[name=longitude]", form).value = Number(found.longitude).toFixed(5);
      $("[name=latitude]", form).value = Number(found.latitude).toFixed(5);
      $("[name=accuracy]", form).value = Math.round(found.accuracy || 0);
      $("[name=datum]", form).value = found.datum;
      says.textContent = "已取得位置，提交后只判断是否在县域内，不保存坐标。";
      locate.textContent = "已定位";
      locate.disabled = true;
      for (const box of $$("[name=declared]", form)) box.required = false;
    } catch {
      says.textContent = $("[name=declared]", form)
        ? "没有取得位置。您可以勾选下面的声明，或到就近的村级服务站办理。"
        : "没有取得位置。请允许定位后再试，或到就近的村级服务站办理。";
    } finally {
      locate.classList.remove("busy");
    }
  });
}
