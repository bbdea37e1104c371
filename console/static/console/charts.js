// The front page's charts: the last hour, asked for every five seconds.
"use strict";
(() => {
  const rates = document.getElementById("chart-rates");
  const lag = document.getElementById("chart-lag");
  if (!rates || !window.uPlot) return;
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const short = (value) => (value === null ? "" : value >= 10000 ? `${Math.round(value / 1000)}k` : value >= 10 || value === 0 ? String(Math.round(value)) : value.toFixed(1));
  let plots = [];
  let data = null;

  const options = (box, series, least) => ({
    width: box.clientWidth - 16, height: box.clientHeight - 10, padding: [8, 4, 0, 0], legend: { show: false }, series: [{}, ...series],
    cursor: { y: false, points: { size: 6 } },
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(least, (high || 0) * 1.15)] } },
    axes: [
      { stroke: color("--muted"), grid: { show: false }, ticks: { show: false }, font: "11px Inter, sans-serif", size: 24, space: 70, values: (_plot, values) => values.map((value) => new Date(value * 1000).toISOString().slice(11, 16)) },
      { stroke: color("--muted"), grid: { stroke: color("--line-soft"), width: 1 }, ticks: { show: false }, font: "11px Inter, sans-serif", size: 40, space: 34, values: (_plot, values) => values.map(short) },
    ],
  });
  const line = (name, fill) => ({ stroke: color(name), width: 1.5, points: { show: false }, fill: fill ? `${color(name)}26` : undefined });

  const draw = () => {
    plots.forEach((plot) => plot.destroy());
    if (!data) return;
    const all = data.hits.map((value, index) => value + data.misses[index]);
    plots = [
      new uPlot(options(rates, [line("--hit", true), line("--miss", true)], 1), [data.at, all, data.misses], rates),
      new uPlot(options(lag, [line("--warn", true)], 20), [data.at, data.lag], lag),
    ];
  };
  const load = async () => {
    try {
      const answer = await fetch(rates.dataset.source, { headers: { Accept: "application/json" } });
      if (!answer.ok || answer.redirected) return;
      data = await answer.json();
      if (!plots.length) { draw(); return; }
      plots[0].setData([data.at, data.hits.map((value, index) => value + data.misses[index]), data.misses]);
      plots[1].setData([data.at, data.lag]);
    } catch { /* the strip on top says that the console does not answer */ }
  };
  let waiting = 0;
  addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(draw, 150); });
  document.addEventListener("theme", draw);
  load();
  setInterval(() => { if (!document.hidden) load(); }, 5000);
})();
