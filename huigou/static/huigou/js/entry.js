// 录入: threshold and remaining payment as the amount is typed; a draft that outlives a lost connection; one key.
import { $, $$, call, insist, newKey, readJson, store, yuan } from "./core.js";
import "./countdown.js";

const page = readJson("entry-page");
const form = $("[data-entry]");
const amount = $("[name=amount]", form);
const sum = $("[data-sum]");
const says = $("[data-entry-says]");
const submit = $("[data-submit]");
const draftName = `entry:${page.id}`;
const draft = JSON.parse(store.get(draftName) || "null") || { key: newKey(), values: {} };

const plain = (text) => text.replace(/[０-９．]/g, (c) => String.fromCharCode(c.charCodeAt(0) - 0xfee0)).replace(/[,，\s]/g, "");
export function toFen(text) {
  const match = plain(text).match(/^(\d{1,9})(?:\.(\d{0,2}))?$/);
  return match ? Number(match[1]) * 100 + Number(((match[2] || "") + "00").slice(0, 2)) : null;
}
function show() {
  const fen = toFen(amount.value);
  const line = (state, before, figure, after = "") => {
    sum.dataset.state = state;
    const strong = document.createElement("b");
    strong.textContent = figure;
    sum.replaceChildren(before, strong, after);
  };
  if (!amount.value.trim()) line("", "至少 ", yuan(page.threshold_fen), " 元才能用这张券");
  else if (fen === null) line("under", "金额写法不对，例如 ", "318.50", "");
  else if (fen < page.threshold_fen) line("under", "还差 ", yuan(page.threshold_fen - fen), ` 元，须满 ${yuan(page.threshold_fen)} 元`);
  else line("good", "顾客还需支付 ", yuan(fen - page.face_fen), " 元");
  amount.setAttribute("aria-invalid", String(Boolean(amount.value.trim()) && (fen === null || fen < page.threshold_fen)));
}
function keep() {
  draft.values = {};
  for (const field of $$("input[name], textarea[name]", form)) {
    if (field.name === "csrfmiddlewaretoken" || field.name === "key") continue;
    if (field.type === "radio") { if (field.checked) draft.values[field.name] = field.value; }
    else draft.values[field.name] = field.value;
  }
  store.set(draftName, JSON.stringify(draft));
}
function restore() {
  for (const [name, value] of Object.entries(draft.values)) {
    for (const field of $$(`[name="${name}"]`, form)) {
      if (field.type === "radio") field.checked = field.value === value;
      else if (!field.value) field.value = value;
    }
  }
  $("[name=key]", form).value = draft.key;
}
function reset(text) {
  submit.disabled = false;
  submit.classList.remove("busy");
  submit.textContent = submit.dataset.label;
  says.textContent = text;
  says.hidden = !text;
}

// Two of the refusals are screens of this page: what is missing, and the line that is dead.
const underScreen = $("[data-under]"), network = $("[data-network]");
function under(fen) {
  show();
  reset("");
  $("[data-short-of]").textContent = yuan(page.threshold_fen - fen);
  amount.select(); // kept until the field has the focus again; selected only then, it would swallow a quick first figure
  underScreen.showModal();
  if (navigator.vibrate) navigator.vibrate([80, 60, 80]);
}
underScreen.addEventListener("close", () => amount.focus());
network.addEventListener("cancel", (event) => event.preventDefault());

restore();
show();
form.addEventListener("input", () => { show(); keep(); });
const more = $("[data-more-box]", form);
function showMore(focus) {
  if (!more) return;
  more.hidden = !$("[data-more]", form).checked;
  if (focus && !more.hidden) more.focus();
}
showMore(false);
form.addEventListener("change", (event) => { if (event.target.name === "kind") showMore(true); });

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  event.stopImmediatePropagation();
  if (submit.disabled) return;
  const fen = toFen(amount.value);
  if (fen === null) { show(); amount.focus(); reset("请填写消费金额"); return; }
  if (fen < page.threshold_fen) { under(fen); return; }
  const values = Object.fromEntries(new FormData(form));
  if (values.kind === "more") values.kind = values.kind_more;
  if (!String(values.kind || "").trim()) { reset(`请选择${page.kind_label}`); $("[data-kind]").scrollIntoView({ block: "center" }); $("[name=kind]", form).focus(); return; }
  if (page.asks_payment && !values.payment) { reset("请选择付款方式"); return; }
  keep();
  submit.disabled = true;
  submit.classList.add("busy");
  submit.textContent = "正在提交…";
  says.hidden = true;
  const body = { amount: plain(amount.value), kind: values.kind, note: values.note || "", receipt_no: values.receipt_no || "", payment: values.payment || "" };
  try {
    const answer = await insist(
      () => call(`/api/v1/redemptions/${page.id}/complete`, { method: "POST", body: { ...body, key: draft.key } }),
      () => {
        submit.textContent = "正在确认…";
        if (!network.open) network.showModal();
      },
    );
    store.drop(draftName);
    location.replace(answer.url);
  } catch (refusal) {
    if (network.open) network.close();
    // A changed entry is a new request.
    draft.key = newKey();
    $("[name=key]", form).value = draft.key;
    keep();
    reset(`${refusal.message}。${refusal.next || ""}`);
    if (refusal.code === "under_threshold") under(fen);
    if (refusal.body.url) location.replace(refusal.body.url);
  }
}, true);
