/* Dialogs of deeds, a kept name or number that is to be replaced, the progress of an export. Everything works without it. */
(() => {
  "use strict";
  const dialog = () => {
    let box = document.querySelector("dialog.desk-dialog");
    if (!box) {
      box = document.createElement("dialog");
      box.className = "desk-dialog";
      box.setAttribute("aria-labelledby", "deed-title");
      document.body.append(box);
    }
    return box;
  };

  /* A day or file not yet chosen asks for itself in Chinese: the browser's own words for it are in the browser's language. */
  const mark = (input) => input.toggleAttribute("data-empty", !input.value && !input.validity.badInput);
  const markAll = (root) => root.querySelectorAll("input[type=date], input[type=file]").forEach(mark);
  for (const kind of ["input", "change", "focusout"]) {
    document.addEventListener(kind, (event) => {
      if (["date", "file"].includes(event.target.type)) mark(event.target);
    });
  }

  const show = (box, html) => {
    box.innerHTML = html;
    markAll(box);
    if (!box.open) box.showModal();
    const first = box.querySelector("textarea, input:not([type=hidden]), select, button");
    if (first) first.focus();
  };

  const open = async (href) => {
    const answer = await fetch(href, { headers: { "X-Requested-With": "dialog" }, redirect: "manual" });
    if (!answer.ok) {
      location.assign(href);
      return;
    }
    const next = location.pathname + location.search;
    show(dialog(), await answer.text());
    const field = dialog().querySelector("input[name=next]");
    if (field) field.value = next;
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-dialog]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      open(link.href).catch(() => location.assign(link.href));
      return;
    }
    const close = event.target.closest("dialog.desk-dialog [data-close]");
    if (close) {
      event.preventDefault();
      dialog().close();
      return;
    }
    if (event.target.closest("[data-print]")) {
      window.print();
      return;
    }
    const change = event.target.closest("button[data-unkeep]");
    if (change) {
      const input = document.createElement("input");
      Object.assign(input, { type: "text", name: change.dataset.unkeep, id: change.dataset.id, placeholder: change.dataset.placeholder });
      input.autocomplete = "off";
      change.closest(".desk-kept").replaceWith(input);
      input.focus();
    }
  });

  /* What the server could not say itself; the answer's whole page would not fit into a dialog. */
  const refuse = (form, words) => {
    form.querySelector(".desk-refused")?.remove();
    const said = document.createElement("div");
    said.className = "desk-refused";
    said.setAttribute("role", "alert");
    said.textContent = words;
    form.prepend(said);
  };

  /* A form in a dialog is sent by script, so that a refusal shows in the dialog; a success follows the redirect. */
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("dialog.desk-dialog form");
    if (!form) return;
    event.preventDefault();
    const button = form.querySelector("button[type=submit]");
    if (button.disabled) return;
    button.disabled = true;
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        body: new FormData(form),
        headers: { "X-Requested-With": "dialog" },
        redirect: "manual",
      });
      if (answer.type === "opaqueredirect") {
        location.assign(form.action); // logged out meanwhile: the way in leads back to this deed
        return;
      }
      if (!answer.ok && answer.status !== 422) {
        refuse(form, `没有办成（${answer.status}），请刷新本页后再试`);
        return;
      }
      const type = answer.headers.get("Content-Type") || "";
      if (type.startsWith("application/json")) {
        const { to } = await answer.json();
        const here = location.pathname + location.search;
        if (to === here || to === location.href) location.reload();
        else location.assign(to);
        return;
      }
      if (type.startsWith("text/html")) show(dialog(), await answer.text());
    } catch {
      refuse(form, "网络不通，不能确定是否办成：请刷新本页，核对后再试");
    } finally {
      button.disabled = false;
    }
  });

  const follow = (box) => {
    const tick = async () => {
      try {
        const answer = await fetch(box.dataset.follow, { headers: { Accept: "application/json" } });
        const job = await answer.json();
        box.querySelector("progress").max = Math.max(job.rows_total, 1);
        box.querySelector("progress").value = job.rows_done;
        box.querySelector("[data-words]").textContent = job.words;
        if (job.is_over) {
          location.reload();
          return;
        }
      } catch {
        /* the next tick asks again */
      }
      setTimeout(tick, 1000);
    };
    setTimeout(tick, 600);
  };
  document.addEventListener("DOMContentLoaded", () => {
    markAll(document);
    document.querySelectorAll("[data-follow]").forEach(follow);
  });
})();
