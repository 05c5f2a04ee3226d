// Draws a chart when it comes into view. Without this script the tables have the same figures.
"use strict";

(() => {
  const plotlyUrl = document.currentScript.dataset.plotly;
  const drawn = new Set();
  let plotly;

  const loadPlotly = () => {
    plotly ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = plotlyUrl;
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => reject(new Error("Plotly could not be loaded"));
      document.head.append(script);
    });
    return plotly;
  };

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  const figuresOf = (chart) =>
    JSON.parse(document.getElementById(chart.dataset.figures).textContent);

  // Plotly reads a little HTML in texts: a name must not become markup.
  const plain = (text) =>
    text.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign]);

  // Every nth day, counted back from the latest, so that the dates do not touch.
  const ticks = (days, width) => {
    const every = Math.max(1, Math.ceil((days.length * 94) / width));
    return days.filter((_, i) => (days.length - 1 - i) % every === 0);
  };

  // Move labels apart until none is closer to its neighbour than a line of text.
  const spread = (wanted, gap, height) => {
    const order = wanted.map((y, i) => [y, i]).sort((a, b) => a[0] - b[0]);
    const placed = [];
    for (const [y, i] of order) {
      placed.push([Math.max(y, placed.length ? placed.at(-1)[0] + gap : y), i]);
    }
    let ceiling = height;
    for (let n = placed.length - 1; n >= 0; n -= 1) {
      placed[n][0] = Math.min(placed[n][0], ceiling);
      ceiling = placed[n][0] - gap;
    }
    const out = [];
    for (const [y, i] of placed) out[i] = y;
    return out;
  };

  const last = (values) => values.findLastIndex((value) => value !== null);

  const traceOf = (figures, series) => {
    const ink = colour(series.colour);
    const common = {
      name: plain(series.name),
      x: figures.days,
      y: series.values,
      hovertemplate: figures.unit === "percent" ? "%{y:.1%}" : "%{y:,.2f}",
    };
    if (figures.kind === "bars") {
      return { ...common, type: "bar", marker: { color: ink, line: { color: colour("surface"), width: 1 } } };
    }
    const few = series.values.filter((value) => value !== null).length < 6;
    return {
      ...common,
      type: "scatter",
      mode: few ? "lines+markers" : "lines",
      line: { color: ink, width: 2 },
      marker: { color: ink, size: 6 },
    };
  };

  // The place of each label on the y axis: the end of its line, or the middle of its last bar.
  const heights = (figures) => {
    let below = 0;
    return figures.series.map(({ values }) => {
      if (figures.kind !== "bars") return values[last(values)] ?? 0;
      const top = below + values.at(-1);
      const middle = (below + top) / 2;
      below = top;
      return middle;
    });
  };

  const highest = (figures) => {
    const sums = figures.days.map((_, i) =>
      figures.kind === "bars"
        ? figures.series.reduce((sum, { values }) => sum + Math.max(values[i], 0), 0)
        : Math.max(...figures.series.map(({ values }) => values[i] ?? 0)),
    );
    return Math.max(...sums) * 1.08 || 1;
  };

  const lowest = (figures) =>
    Math.min(0, ...figures.series.flatMap(({ values }) => values.map((value) => value ?? 0)));

  const draw = async (chart) => {
    const Plotly = await loadPlotly();
    const figures = figuresOf(chart);
    const width = chart.clientWidth;
    const height = chart.clientHeight;
    const longest = Math.max(...figures.series.map(({ name }) => name.length));
    const margin = { l: 46, r: Math.min(18 + longest * 7.4, width * 0.34), t: 8, b: 28 };
    const inside = { width: width - margin.l - margin.r, height: height - margin.t - margin.b };
    const range = [lowest(figures), highest(figures)];
    const pixels = (value) => ((value - range[0]) / (range[1] - range[0])) * inside.height;
    const wanted = heights(figures);
    const places = spread(wanted.map(pixels), 16, inside.height);
    const room = Math.floor((margin.r - 12) / 7);
    const shorten = (name) => (name.length > room ? `${name.slice(0, room - 1)}…` : name);
    const day = 86400000;
    const first = Date.parse(figures.days[0]);
    const end = Date.parse(figures.days.at(-1));
    const halfBar = figures.kind === "bars" ? 3.5 * day : 0;

    const layout = {
      width,
      height,
      margin,
      autosize: false,
      showlegend: false,
      dragmode: false,
      barmode: "relative",
      bargap: 0.28,
      hovermode: "x unified",
      separators: ".\u202f",
      paper_bgcolor: "transparent",
      plot_bgcolor: "transparent",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("muted") },
      hoverlabel: {
        bgcolor: colour("surface"),
        bordercolor: colour("rule"),
        font: { color: colour("ink"), size: 12.5 },
      },
      xaxis: {
        type: "date",
        range: [first - halfBar, end + halfBar],
        tickvals: ticks(figures.days, inside.width),
        tickformat: "%Y-%m-%d",
        hoverformat: "%Y-%m-%d",
        fixedrange: true,
        showgrid: false,
        zeroline: false,
        ticklen: 4,
        tickcolor: "transparent",
        spikecolor: colour("muted"),
        spikedash: "solid",
        spikethickness: -1, // negative: without the white border
      },
      yaxis: {
        range,
        nticks: 6,
        tickformat: figures.unit === "percent" ? ".0%" : ".3~s",
        fixedrange: true,
        gridcolor: colour("rule"),
        zeroline: range[0] < 0,
        zerolinecolor: colour("muted"),
        ticklen: 6,
        tickcolor: "transparent",
      },
      annotations: figures.series.map((series, i) => ({
        text: plain(shorten(series.name)),
        x: figures.days[figures.kind === "bars" ? figures.days.length - 1 : last(series.values)],
        y: wanted[i],
        xanchor: "left",
        yanchor: "middle",
        xshift: figures.kind === "bars" ? (inside.width / figures.days.length) * 0.36 + 7 : 7,
        yshift: places[i] - pixels(wanted[i]),
        showarrow: false,
        font: { color: colour(series.colour === "quiet" ? "muted" : series.colour), weight: 600 },
      })),
    };
    const traces = figures.series.map((series) => traceOf(figures, series));
    await Plotly.react(chart, traces, layout, { displayModeBar: false, responsive: false });
    chart.classList.add("drawn");
    drawn.add(chart);
  };

  const show = (chart) =>
    draw(chart).catch(() => {
      chart.classList.add("failed", "too-little");
      chart.textContent = "The chart could not be drawn; the table below has its figures.";
    });

  const whenSeen = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        whenSeen.unobserve(target);
        show(target);
      }
    },
    { rootMargin: "160px" },
  );

  const redraw = () => drawn.forEach(show);
  const charts = [...document.querySelectorAll(".chart")];
  charts.forEach((chart) => whenSeen.observe(chart));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  let pending;
  let shownWidth = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === shownWidth) return; // a phone hides its address bar: nothing to do
    shownWidth = innerWidth;
    clearTimeout(pending);
    pending = setTimeout(redraw, 120);
  });

  // On paper, a chart that was never in view gives way to its table.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = charts
      .filter((chart) => !drawn.has(chart))
      .map((chart) => chart.parentElement.querySelector("details:not([open])"))
      .filter((details) => details);
    opened.forEach((details) => (details.open = true));
  });
  addEventListener("afterprint", () => opened.forEach((details) => (details.open = false)));
})();
