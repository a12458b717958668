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

  const options = (name, links) => {
    const sideways = name === "shops";
    const stacked = name === "category" || name === "face";
    const axis = (grid) => ({ stacked, grid: { display: grid, color: "#e6dfd5" }, ticks: { color: INK, font: { size: 13 } }, beginAtZero: true });
    const scales = sideways ? { x: axis(true), y: axis(false) } : { x: axis(false), y: axis(true) };
    if (name === "time") scales.y1 = { ...axis(false), position: "right" };
    return {
      responsive: true, maintainAspectRatio: false, animation: false, indexAxis: sideways ? "y" : "x",
      interaction: { mode: "index", intersect: false }, scales,
      plugins: { legend: { position: "bottom", labels: { color: INK, boxWidth: 14, font: { size: 13 } } } },
      onClick: (event, found) => { if (found.length && charts[name].links[found[0].index]) location.assign(charts[name].links[found[0].index]); },
    };
  };

  const datasets = (name, series) => series.map((one, place) => ({
    label: one.name, data: one.data, backgroundColor: COLOURS[one.name], borderColor: COLOURS[one.name], maxBarThickness: 46,
    borderRadius: 3,
    ...(name === "time" ? { type: place ? "line" : "bar", yAxisID: place ? "y1" : "y", tension: 0.25, pointRadius: 3, order: place ? 0 : 1 } : {}),
  }));

  const draw = (name, data) => {
    const canvas = box.querySelector(`[data-chart=${name}]`);
    if (!canvas || !data || !window.Chart) return;
    const known = charts[name];
    if (known) {
      known.links = data.links;
      known.chart.data.labels = data.labels;
      data.series.forEach((one, place) => { if (known.chart.data.datasets[place]) known.chart.data.datasets[place].data = one.data; });
      known.chart.update("none");
      return;
    }
    charts[name] = { links: data.links };
    charts[name].chart = new window.Chart(canvas, { type: "bar", data: { labels: data.labels, datasets: datasets(name, data.series) }, options: options(name) });
  };

  const figures = (list) => {
    const home = document.getElementById("dash-figures");
    home.replaceChildren(...list.map((figure) => {
      const node = document.createElement(figure.href ? "a" : "div");
      if (figure.href) node.href = figure.href;
      node.className = `dash-figure${figure.tone ? ` is-${figure.tone}` : ""}`;
      for (const [tag, key] of [["span", "title"], ["b", "value"], ["small", "note"]]) {
        const part = document.createElement(tag);
        part.textContent = figure[key];
        node.append(part);
      }
      return node;
    }));
  };

  const show = (state, isFirst) => {
    text("[data-at]", state.at);
    text("[data-campaign]", state.campaign);
    if (state.round) {
      for (const name of ["title", "words", "span", "release", "label"]) text(`[data-round=${name}]`, state.round[name]);
      shift = state.round.now_ms - Date.now();
      target = state.round.target_ms;
    }
    if (!isFirst) figures(state.figures);
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
