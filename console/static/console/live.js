// The live page: rows come by server-sent events and are written as text, never as markup.
"use strict";
(() => {
  const table = document.getElementById("live");
  const rows = document.getElementById("rows");
  const none = document.getElementById("none");
  const pause = document.getElementById("pause");
  const state = document.getElementById("connection");
  const most = Number(table.dataset.most);
  let paused = false;
  let held = [];
  let last = null; // the last result's moment on this clock

  const cell = (row, kind, text) => {
    const td = row.insertCell();
    td.className = kind;
    if (text !== undefined && text !== null) td.textContent = text;
    return td;
  };
  const link = (td, href, text, foreign) => {
    const a = document.createElement("a");
    a.href = href; // made by the console itself: always a path of its own
    const inner = foreign ? document.createElement("bdi") : a;
    if (foreign) { inner.className = "text"; inner.dir = "auto"; a.append(inner); }
    inner.textContent = text;
    td.append(a);
  };
  const SVG = "http://www.w3.org/2000/svg";
  const bar = (confidence, decision) => {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", `conf ${decision}`);
    svg.setAttribute("viewBox", "0 0 100 6");
    svg.setAttribute("preserveAspectRatio", "none");
    for (const [kind, width] of [["bed", 100], ["fill", 100 * confidence]]) {
      const rect = document.createElementNS(SVG, "rect");
      rect.setAttribute("class", kind);
      rect.setAttribute("width", width.toFixed(1));
      rect.setAttribute("height", "6");
      svg.append(rect);
    }
    return svg;
  };
  const build = (item) => {
    const row = document.createElement("tr");
    row.dataset.id = item.id;
    cell(row, "t-time num muted", item.time);
    const source = cell(row, "t-source muted");
    const name = document.createElement("bdi");
    name.className = "text";
    name.textContent = item.source;
    source.append(name);
    const title = cell(row, "t-title");
    link(title, item.href, item.title, true);
    if (item.revision > 1 || item.stale || item.degraded) {
      const flag = document.createElement("span");
      flag.className = "faint";
      flag.textContent = `  rev. ${item.revision}${item.stale ? ", stale" : ""}${item.degraded ? ", degraded" : ""}`;
      title.append(flag);
    }
    cell(row, "t-label label", item.label ?? "–").title = item.classifier;
    const value = document.createElement("span");
    value.className = "conf-value";
    value.textContent = item.label === null ? "–" : `${(100 * item.confidence).toFixed(1)} %`;
    cell(row, "t-conf num").append(bar(item.confidence, item.decision), value);
    cell(row, `t-decision decision ${item.decision}`, item.decision);
    const model = cell(row, "t-model mono");
    if (item.model) link(model, item.model_href, item.model, false);
    cell(row, `t-embedding ${item.embedding ?? ""}`, item.embedding);
    cell(row, "t-place num mono faint", item.place);
    return row;
  };
  const show = (items) => {
    if (!items.length) return;
    none.hidden = true;
    const fresh = items.slice(-most).reverse().map(build);
    rows.prepend(...fresh);
    while (rows.rows.length > most) rows.deleteRow(-1);
  };
  const number = (value) => (value === null ? "–" : value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(1));
  const showAge = () => {
    if (last === null) return;
    const seconds = Math.max(0, (Date.now() - last) / 1000);
    document.getElementById("f-age").textContent = seconds < 100 ? `${seconds.toFixed(0)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
  };
  const say = (text, tone) => { state.textContent = text; state.className = `chip ${tone}`; };

  const source = new EventSource(table.dataset.stream);
  source.onopen = () => say(paused ? "paused" : "live", paused ? "warn" : "ok");
  source.onerror = () => say("the console does not answer; trying again", "bad");
  source.addEventListener("trouble", (event) => say(JSON.parse(event.data), "bad"));
  source.onmessage = (event) => {
    const news = JSON.parse(event.data);
    if (state.classList.contains("bad")) say(paused ? "paused" : "live", paused ? "warn" : "ok");
    document.getElementById("f-results").textContent = number(news.figures.results);
    document.getElementById("f-misses").textContent = number(news.figures.misses);
    document.getElementById("f-lag").textContent = news.figures.lag === null ? "–" : news.figures.lag.toLocaleString("en");
    last = news.figures.age === null ? null : Date.now() - 1000 * news.figures.age;
    showAge();
    if (paused) {
      held = held.concat(news.rows).slice(-most);
      pause.textContent = held.length ? `Resume (${held.length}${held.length === most ? "+" : ""} new)` : "Resume";
    } else {
      show(news.rows);
    }
  };
  pause.addEventListener("click", () => {
    paused = !paused;
    if (!paused) { show(held); held = []; }
    pause.textContent = paused ? "Resume" : "Pause";
    say(paused ? "paused" : "live", paused ? "warn" : "ok");
  });
  setInterval(showAge, 1000);
  addEventListener("pagehide", () => source.close());
})();
