/* 首页: numbers and charts that refresh by themselves; a click on a bar opens its list. */
(() => {
  "use strict";
  const box = document.getElementById("dash");
  if (!box) return;
  const INK = "#453c34";
  const COLOURS = {
    已使用: "#b1221a", 待录入: "#f0b04a", 未使用: "#8fb3cf", 到期收回: "#b9ada0", 商家放弃: "#5f564d",
    "使用（张）": "#1d4f80", "消费金额（元）": "#b1221a", "消费券金额（元）": "#f0b04a",
  };
  const charts = {};
  let shift = 0;
  let target = null;

  const text = (selector, value) => {
    const node = box.querySelector(selector);
    if (node) node.textContent = value == null ? "" : value;
  };

  const go = (address) => { if (address) location.assign(address); };

  const options = (name) => {
    const sideways = name === "shops";
    const stacked = name === "category" || name === "face";
    const font = { size: window.innerWidth > 1000 ? 15 : 13 };
    const axis = (grid) => ({
      stacked, grid: { display: grid, color: "#e6dfd5" }, ticks: { color: INK, font, maxRotation: 0, autoSkipPadding: 12 }, beginAtZero: true,
    });
    const scales = sideways ? { x: axis(true), y: axis(false) } : { x: axis(false), y: axis(true) };
    if (sideways) {
      const letters = window.innerWidth > 1000 ? 16 : 9;
      const short = (text) => (text.length > letters ? `${text.slice(0, letters - 1)}…` : text);
      scales.y.ticks.autoSkip = false;
      scales.y.ticks.callback = function shortened(value) { return short(this.getLabelForValue(value)); };
    }
    if (name === "time") scales.y1 = { ...axis(false), position: "right" };
    return {
      responsive: true, maintainAspectRatio: false, animation: false, indexAxis: sideways ? "y" : "x", scales,
      interaction: { mode: "index", axis: sideways ? "y" : "x", intersect: false },
      plugins: {
        legend: { position: "bottom", labels: { color: INK, boxWidth: 16, padding: 14, font } },
        tooltip: { titleFont: font, bodyFont: font, callbacks: { label: (item) => `${item.dataset.label}：${item.raw.toLocaleString("zh-CN")}` } },
      },
      // The bar that was hit, else the first of its place: a click beside a thin bar still finds its list.
      onClick: (event, found, chart) => {
        const hit = chart.getElementsAtEventForMode(event, "nearest", { intersect: true }, true)[0] || found[0];
        if (hit) go(charts[name].links[hit.datasetIndex][hit.index]);
      },
      onHover: (event, found) => { event.native.target.style.cursor = found.length ? "pointer" : "default"; },
    };
  };

  const datasets = (name, series) => series.map((one, place) => ({
    label: one.name, data: one.data, backgroundColor: COLOURS[one.name], borderColor: COLOURS[one.name], maxBarThickness: 46,
    borderRadius: 3,
    ...(name === "time" ? { type: place ? "line" : "bar", yAxisID: place ? "y1" : "y", pointRadius: 4, borderWidth: place ? 3 : 0, order: place ? 0 : 1 } : {}),
  }));

  // What the canvas shows, for those who do not see it and for the keyboard: the same numbers as links.
  const table = (canvas, data) => {
    const home = canvas.closest(".desk-card").querySelector("[data-table]");
    const row = (tag, cells) => {
      const line = document.createElement("tr");
      line.append(...cells.map((cell, place) => {
        const node = document.createElement(place ? tag : "th");
        node.scope = place ? "" : "row";
        if (cell.href) {
          const link = document.createElement("a");
          link.href = cell.href;
          link.textContent = cell.text;
          node.append(link);
        } else node.textContent = cell.text;
        if (place) node.className = "num";
        return node;
      }));
      return line;
    };
    const head = document.createElement("thead");
    head.append(row("th", [{ text: "" }, ...data.series.map((one) => ({ text: one.name }))]));
    const body = document.createElement("tbody");
    body.append(...data.labels.map((label, at) => row("td", [
      { text: label }, ...data.series.map((one) => ({ text: one.data[at].toLocaleString("zh-CN"), href: one.links[at] })),
    ])));
    home.replaceChildren(head, body);
  };

  const draw = (name, data) => {
    const canvas = box.querySelector(`[data-chart=${name}]`);
    if (!canvas || !data) return;
    table(canvas, data);
    canvas.closest(".desk-card").classList.toggle("is-empty", !data.series.some((one) => one.data.some(Boolean)));
    if (!window.Chart) return;
    const links = data.series.map((one) => one.links);
    const known = charts[name];
    if (known) {
      known.links = links;
      known.chart.data.labels = data.labels;
      data.series.forEach((one, place) => { if (known.chart.data.datasets[place]) known.chart.data.datasets[place].data = one.data; });
      known.chart.update("none");
      return;
    }
    charts[name] = { links };
    charts[name].chart = new window.Chart(canvas, { type: "bar", data: { labels: data.labels, datasets: datasets(name, data.series) }, options: options(name) });
  };

  const figure = (one) => {
    const node = document.createElement(one.href ? "a" : "div");
    if (one.href) node.href = one.href;
    node.className = `dash-figure${one.tone ? ` is-${one.tone}` : ""}`;
    for (const [tag, key] of [["span", "title"], ["b", "value"], ["small", "note"]]) {
      const part = document.createElement(tag);
      part.textContent = one[key];
      node.append(part);
    }
    return node;
  };

  // The groups stand still; only their numbers come anew, and whoever is on one with the keyboard stays there.
  const groups = (list) => {
    const homes = box.querySelectorAll("#dash-groups .dash-figures");
    if (homes.length !== list.length) { location.reload(); return; }
    list.forEach((group, place) => {
      const at = [...homes[place].children].indexOf(document.activeElement);
      homes[place].replaceChildren(...group.figures.map(figure));
      if (at >= 0 && homes[place].children[at]) homes[place].children[at].focus();
    });
  };

  const show = (state, isFirst) => {
    text("[data-at]", state.at);
    text("[data-campaign]", state.campaign);
    if (state.round) {
      for (const name of ["title", "words", "of", "span", "release", "label", "notice"]) text(`[data-round=${name}]`, state.round[name]);
      const bar = box.querySelector("[data-round=bar]");
      bar.max = state.round.size || 1;
      bar.value = state.round.drawn;
      shift = state.round.now_ms - Date.now();
      target = state.round.target_ms;
    }
    if (!isFirst) groups(state.groups);
    Object.entries(state.charts).forEach(([name, data]) => draw(name, data));
  };

  const countdown = () => {
    if (target == null) { text("[data-left]", "—"); return; }
    const left = Math.max(0, Math.floor((target - Date.now() - shift) / 1000));
    const pad = (number) => String(number).padStart(2, "0");
    const days = Math.floor(left / 86400);
    text("[data-left]", `${days ? `${days} 天 ` : ""}${pad(Math.floor(left / 3600) % 24)}:${pad(Math.floor(left / 60) % 60)}:${pad(left % 60)}`);
  };

  const refresh = async () => {
    try {
      const answer = await fetch(box.dataset.url, { headers: { Accept: "application/json" } });
      if (answer.ok) show(await answer.json(), false);
    } catch { /* the next one */ }
    setTimeout(refresh, document.hidden ? 60000 : 10000);
  };

  const start = () => {
    const first = document.getElementById("dash-state");
    if (window.Chart) window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    show(JSON.parse(first.textContent), true);
    countdown();
    setInterval(countdown, 1000);
    setTimeout(refresh, 10000);
  };
  start();
})();
