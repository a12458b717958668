// 扫码: the camera in the page (its own decoder, or frames to ours), a photo, or the eight digits. A hit is posted once.
import { $, NoConnection, Refused, call, insist, newKey, pause, store } from "./core.js";

const FRAME_MS = 900, FRAME_PX = 720, PHOTO_PX = 1600;
const says = $("[data-scan-says]");
const video = $("[data-video]");
const cover = $("[data-cover]");
const digits = $("[data-digits]");
let stream = null;
let busy = false;

const tokenIn = (text) => (text.match(/\/shop\/c\/([A-Za-z0-9_\-.:]+)/) || [])[1];

async function send(body) {
  if (busy) return;
  busy = true;
  stop();
  says.textContent = "正在登记…";
  const key = newKey();
  try {
    const answer = await insist(
      () => call("/api/v1/scans", { method: "POST", body: { ...body, key } }),
      (n) => { if (n === 2) showRefusal("network", "网络不通，正在自动重试", "请不要让顾客离开。恢复后会自动继续，同一张券不会重复登记。"); },
    );
    location.assign(answer.url);
  } catch (refusal) {
    busy = false;
    if (refusal.body.url) { location.assign(refusal.body.url); return; }
    const typed = body.short_code && refusal.code === "code_stale";
    showRefusal(refusal.body.screen || "other", typed ? "短码不对，或已过时" : refusal.message, refusal.next, refusal.body.title);
  }
}

const TITLES = { used: "已使用过", expired: "已过期", wrong: "不能在本店用", under: "未达到门槛", network: "网络不通", other: "不能核销" };
const ICONS = { used: "ticket", expired: "clock", wrong: "shop", under: "alert", network: "offline", other: "alert" };
function showRefusal(screen, text, next, title) {
  const panel = $("#refusal").content.firstElementChild.cloneNode(true);
  panel.classList.add(`refusal-${screen}`);
  $("use", panel).setAttribute("href", `${panel.dataset.icons}#${ICONS[screen] || "alert"}`);
  $("h1", panel).textContent = title || TITLES[screen] || TITLES.other;
  $(".what", panel).textContent = text;
  $("[data-next]", panel).textContent = next;
  $("[data-again]", panel).addEventListener("click", () => location.reload());
  const place = $("[data-refusal]");
  place.replaceChildren(panel);
  $("[data-ways]").hidden = true;
  panel.focus();
  says.textContent = "";
  if (navigator.vibrate) navigator.vibrate([80, 60, 80]);
}

// -- the camera
function snapshot(source, width, height, longest) {
  const scale = Math.min(1, longest / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.getContext("2d").drawImage(source, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.8));
}
async function decode(blob) {
  const body = new FormData();
  body.append("photo", blob, "frame.jpg");
  return (await call("/api/v1/scans/photo", { method: "POST", body, timeoutMs: 15000 })).token;
}
async function detector() {
  if (!("BarcodeDetector" in window)) return null;
  try {
    return (await BarcodeDetector.getSupportedFormats()).includes("qr_code") ? new BarcodeDetector({ formats: ["qr_code"] }) : null;
  } catch { return null; }
}
function stop() {
  if (stream) for (const track of stream.getTracks()) track.stop();
  stream = null;
  cover.hidden = false;
}
async function watch() {
  const own = await detector();
  while (stream && !busy) {
    await pause(own ? 150 : FRAME_MS);
    if (!stream || video.readyState < 2 || document.hidden) continue;
    try {
      let token;
      if (own) {
        const [hit] = await own.detect(video);
        token = hit && tokenIn(hit.rawValue);
        if (hit && !token) says.textContent = "这不是消费券的二维码";
      } else {
        token = await decode(await snapshot(video, video.videoWidth, video.videoHeight, FRAME_PX));
      }
      if (token) { await send({ token }); return; }
    } catch (trouble) {
      if (trouble instanceof NoConnection) says.textContent = "网络不通，请靠近门口或改用流量";
      else if (trouble instanceof Refused && trouble.code !== "code_unreadable") says.textContent = trouble.message;
    }
  }
}
// Inside WeChat its own scanner is the better camera; where it says no, ours is tried.
async function byWeixin(address) {
  const { weixin } = await import("./wx.js");
  const wx = await weixin(address, ["scanQRCode"]);
  return new Promise((done, fail) => {
    wx.scanQRCode({ needResult: 1, scanType: ["qrCode"], success: (found) => done(found.resultStr), cancel: () => done(""), fail });
  });
}
async function openWeixin(address) {
  try {
    const text = await byWeixin(address);
    const token = tokenIn(text);
    if (token) send({ token });
    else if (text) says.textContent = "这不是消费券的二维码";
    return true;
  } catch { return false; }
}
async function open() {
  if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) {
    says.textContent = "这里不能直接打开摄像头，请用下面的“拍照识别”或输入 8 位短码。";
    return;
  }
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } }, audio: false });
    video.srcObject = stream;
    await video.play();
    cover.hidden = true;
    says.textContent = "把顾客的二维码放进框内";
    store.set("camera", "1");
    watch();
  } catch {
    stop();
    store.drop("camera");
    says.textContent = "没有得到摄像头权限，请用“拍照识别”或输入 8 位短码。";
  }
}
$("[data-open-camera]").addEventListener("click", async () => {
  const { wxScript } = $("[data-ways]").dataset;
  if (wxScript && await openWeixin(wxScript)) return;
  open();
});
addEventListener("pagehide", stop);
// Allowed once: the next coupon needs no tap. A browser that asks anew each time (iOS) is not troubled unasked.
async function openUnasked() {
  try {
    const { state } = await navigator.permissions.query({ name: "camera" });
    if (state === "granted" && store.get("camera") && !$("[data-ways]").dataset.wxScript) open();
  } catch { /* no such question here: the button stays */ }
}
openUnasked();

$("[data-photo]").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (!file) return;
  says.textContent = "正在识别照片…";
  try {
    let photo = file;
    if ("createImageBitmap" in window) {
      const picture = await createImageBitmap(file);
      photo = await snapshot(picture, picture.width, picture.height, PHOTO_PX);
    }
    const token = await decode(photo);
    await send({ token });
  } catch (trouble) {
    says.textContent = trouble instanceof NoConnection ? "网络不通，照片没有传上去，请重试。" : `${trouble.message}。${trouble.next || ""}`;
  }
  event.target.value = "";
});

$("[data-code-form]").addEventListener("submit", (event) => {
  event.preventDefault();
  const code = digits.value.replace(/\D/g, "");
  if (code.length !== 8) { says.textContent = "短码是 8 位数字，在顾客二维码下方"; digits.focus(); return; }
  send({ short_code: code });
});
digits.addEventListener("input", () => {
  const plain = digits.value.replace(/\D/g, "").slice(0, 8);
  digits.value = plain.length > 4 ? `${plain.slice(0, 4)} ${plain.slice(4)}` : plain;
});
