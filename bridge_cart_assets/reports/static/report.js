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
      hovertemplate: `%{y:${fullFormat(figures.unit)}}`,
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

  const room = (pixels) => Math.max(3, Math.floor(pixels / 7));
  const shorten = (name, letters) =>
    name.length > letters ? `${name.slice(0, letters - 1)}…` : name;
  const longest = (names) => Math.max(1, ...names.map((name) => name.length));

  // Figures as the page itself writes them (`compact` in formatting.py): d3 would say m and G.
  const compact = (value) => {
    const number = Number(value.toPrecision(3));
    if (!number) return "0";
    const exponent = Number(number.toExponential().split("e")[1]);
    const power = Math.max(0, Math.min(Math.floor(exponent / 3), 3));
    const decimals = Math.max(0, Math.min(2, 2 - (exponent - 3 * power)));
    const digits = Number((number / 1000 ** power).toFixed(decimals)).toString();
    return digits.replace("-", "\u2212") + ["", "k", "M", "bn"][power];
  };
  const short = (value, unit, digits = 1) =>
    unit === "percent" ? `${(100 * value).toFixed(digits)}%` : compact(value);

  // Round values along an axis, and what is written there; of whole things only whole ones.
  const marks = (low, high, most, unit) => {
    const rough = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    const nice = power * [1, 2, 5, 10].find((times) => times * power >= rough * 0.999);
    const step = unit === "count" ? Math.max(1, nice) : nice;
    const tickvals = [];
    for (let n = Math.ceil(low / step - 1e-9); n * step <= high; n += 1) {
      tickvals.push(Number((n * step).toPrecision(12)));
    }
    const digits = Math.max(0, -Math.floor(Math.log10(step * 100)));
    return { tickvals, ticktext: tickvals.map((value) => short(value, unit, digits)) };
  };

  const fullFormat = (unit) => ({ percent: ".1%", money: ",.2f", count: ",.0f" })[unit] ?? ",.4~f";

  const axis = (own) => ({ fixedrange: true, zeroline: false, tickcolor: "transparent", ...own });

  // What all kinds of charts have in common; colours are those of the theme of the moment.
  const layoutOf = (size, margin, own) => ({
    ...size,
    margin,
    autosize: false,
    showlegend: false,
    dragmode: false,
    separators: ".\u202f",
    paper_bgcolor: colour("surface"),
    plot_bgcolor: colour("surface"),
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("muted") },
    hoverlabel: {
      bgcolor: colour("surface"),
      bordercolor: colour("rule"),
      font: { color: colour("ink"), size: 12.5 },
    },
    ...own,
  });

  // Lines and bars over days, each series named at its end.
  const overDays = (figures, size) => {
    const isBars = figures.kind === "bars";
    const names = figures.series.map(({ name }) => name);
    const margin = { l: 46, r: Math.min(18 + longest(names) * 7.4, size.width * 0.34), t: 8, b: 28 };
    const inside = { width: size.width - margin.l - margin.r, height: size.height - margin.t - margin.b };
    const range = [lowest(figures), highest(figures)];
    const pixels = (value) => ((value - range[0]) / (range[1] - range[0])) * inside.height;
    const wanted = heights(figures);
    const places = spread(wanted.map(pixels), 16, inside.height);
    const day = 86400000;
    const first = Date.parse(figures.days[0]);
    const end = Date.parse(figures.days.at(-1));
    const halfBar = isBars ? ((figures.step ?? 7) / 2) * day : 0;
    // A bar of a month stands at its first day.
    const dates = isBars && figures.step >= 28 ? "%Y-%m" : "%Y-%m-%d";
    const layout = layoutOf(size, margin, {
      barmode: "relative",
      bargap: 0.28,
      hovermode: "x unified",
      xaxis: axis({
        type: "date",
        range: [first - halfBar, end + halfBar],
        tickvals: ticks(figures.days, inside.width),
        tickformat: dates,
        hoverformat: dates,
        showgrid: false,
        ticklen: 4,
        spikecolor: colour("muted"),
        spikedash: "solid",
        spikethickness: -1, // negative: without the white border
      }),
      yaxis: axis({
        range,
        ...marks(...range, 5, figures.unit),
        gridcolor: colour("rule"),
        zeroline: range[0] < 0,
        zerolinecolor: colour("muted"),
        ticklen: 6,
      }),
      annotations: figures.series.map((series, i) => ({
        text: plain(shorten(series.name, room(margin.r - 12))),
        x: figures.days[isBars ? figures.days.length - 1 : last(series.values)],
        y: wanted[i],
        xanchor: "left",
        yanchor: "middle",
        xshift: isBars ? (inside.width / figures.days.length) * 0.36 + 7 : 7,
        yshift: places[i] - pixels(wanted[i]),
        showarrow: false,
        font: { color: colour(series.colour === "quiet" ? "muted" : series.colour), weight: 600 },
      })),
    });
    return { traces: figures.series.map((series) => traceOf(figures, series)), layout };
  };

  // Lying bars, the first name on top; categories are numbered, as two may have the same name.
  const lying = (figures, size) => {
    const names = figures.names;
    const alone = figures.series.length === 1;
    const places = names.map((_, i) => i);
    const margin = { l: Math.min(16 + longest(names) * 7.2, size.width * 0.4), r: alone ? 58 : 16, t: alone ? 4 : 30, b: 28 };
    const ends = places.map((i) => figures.series.reduce((sum, { values }) => sum + Math.max(values[i] ?? 0, 0), 0));
    const traces = figures.series.map((series) => ({
      type: "bar",
      orientation: "h",
      name: plain(series.name),
      y: places,
      x: series.values,
      customdata: names.map(plain),
      marker: {
        color: figures.colours.length ? figures.colours.map(colour) : colour(series.colour),
        line: { color: colour("surface"), width: 1 },
      },
      text: series.values.map((value) => (value === null ? "" : short(value, figures.unit))),
      textposition: alone ? "outside" : "none",
      textfont: { color: colour("ink") },
      cliponaxis: false,
      hovertemplate: `%{customdata}: %{x:${fullFormat(figures.unit)}}<extra>${alone ? "" : plain(series.name)}</extra>`,
    }));
    const least = Math.min(0, ...figures.series.flatMap(({ values }) => values.map((value) => value ?? 0)));
    const range = [least, Math.max(...ends) * 1.04 || 1];
    const most = Math.max(2, Math.floor((size.width - margin.l - margin.r) / 80));
    const layout = layoutOf(size, margin, {
      barmode: "relative",
      bargap: 0.32,
      hovermode: "closest",
      showlegend: !alone,
      legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", traceorder: "normal" },
      xaxis: axis({
        range,
        ...marks(...range, most, figures.unit),
        gridcolor: colour("rule"),
      }),
      yaxis: axis({
        range: [names.length - 0.5, -0.5],
        tickvals: places,
        ticktext: names.map((name) => plain(shorten(name, room(margin.l - 12)))),
        showgrid: false,
        ticklen: 6,
      }),
    });
    return { traces, layout };
  };

  // One line over whole numbers, every one of which has a dot.
  const overSteps = (figures, size) => {
    const { steps, label } = figures;
    const [series] = figures.series;
    const margin = { l: 46, r: 16, t: 10, b: 44 };
    const inside = size.width - margin.l - margin.r;
    const every = Math.max(1, Math.ceil((steps.length * 26) / inside));
    const trace = {
      ...traceOf(figures, series),
      x: steps,
      mode: "lines+markers",
      customdata: steps.map((step) => plain(`${label}: ${step}`)),
      hovertemplate: `%{customdata}<br>%{y:${fullFormat(figures.unit)}}<extra></extra>`,
    };
    const range = [Math.min(0, ...series.values), Math.max(...series.values) * 1.12 || 1];
    const layout = layoutOf(size, margin, {
      hovermode: "closest",
      xaxis: axis({
        range: [steps[0] - 0.4, steps.at(-1) + 0.4],
        tickvals: steps.filter((_, i) => i % every === 0),
        title: { text: plain(label), font: { size: 12 }, standoff: 8 },
        showgrid: false,
        ticklen: 4,
      }),
      yaxis: axis({
        range,
        ...marks(...range, 5, figures.unit),
        gridcolor: colour("rule"),
        ticklen: 6,
      }),
    });
    return { traces: [trace], layout };
  };

  const parts = (name) => colour(name).match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16));

  // Black or white, whichever stands out more from the mixture of two colours; 4.58 at the least.
  const legible = (low, high, share) => {
    const linear = low.map((part, i) => {
      const mixed = (part + (high[i] - part) * share) / 255;
      return mixed <= 0.04045 ? mixed / 12.92 : ((mixed + 0.055) / 1.055) ** 2.4;
    });
    const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    return luminance > 0.179 ? "#000000" : "#ffffff";
  };

  // Fields from the surface's colour (least) to the accent (most), each with its figure if it fits.
  const fields = (figures, size) => {
    const { rows, columns, values } = figures;
    const open = new Set(figures.unfinished.map((place) => place.join()));
    const sign = (y, x) => (open.has(`${y},${x}`) ? "*" : "");
    const margin = { l: Math.min(16 + longest(rows) * 7.2, size.width * 0.36), r: 6, t: 26, b: 6 };
    const width = (size.width - margin.l - margin.r) / columns.length;
    const known = values.flat().filter((value) => value !== null);
    const most = Math.max(...known, Number.MIN_VALUE);
    const least = Math.min(0, ...known);
    const every = Math.max(1, Math.ceil((longest(columns) * 7.4 + 6) / width));
    const shown = columns.map((_, i) => i).filter((i) => i % every === 0);
    const layout = layoutOf(size, margin, {
      hovermode: "closest",
      xaxis: axis({
        side: "top",
        range: [-0.5, columns.length - 0.5],
        tickvals: shown,
        ticktext: shown.map((i) => plain(columns[i])),
        showgrid: false,
      }),
      yaxis: axis({
        range: [rows.length - 0.5, -0.5],
        tickvals: rows.map((_, i) => i),
        ticktext: rows.map((name) => plain(shorten(name, room(margin.l - 12)))),
        showgrid: false,
        ticklen: 4,
      }),
    });
    const digits = width < 52 ? 0 : 1;
    const trace = {
      type: "heatmap",
      x: columns.map((_, i) => i),
      y: rows.map((_, i) => i),
      z: values,
      zmin: least,
      zmax: most,
      xgap: 2,
      ygap: 2,
      hoverongaps: false,
      showscale: false,
      colorscale: [[0, colour("accent-wash")], [1, colour("accent")]],
      customdata: rows.map((row, y) => columns.map((column, x) => plain(`${row}, ${column}${sign(y, x)}`))),
      hovertemplate: `%{customdata}: %{z:${fullFormat(figures.unit)}}<extra></extra>`,
    };
    const [low, high] = [parts("accent-wash"), parts("accent")];
    const cells = values
      .flatMap((row, y) => row.map((value, x) => ({ x, y, value })))
      .filter(({ value }) => value !== null);
    const texts = {
      type: "scatter",
      mode: "text",
      x: cells.map(({ x }) => x),
      y: cells.map(({ y }) => y),
      text: cells.map(({ x, y, value }) => short(value, figures.unit, digits) + sign(y, x)),
      textfont: { color: cells.map(({ value }) => legible(low, high, (value - least) / (most - least))) },
      hoverinfo: "skip",
    };
    return { traces: width >= 34 ? [trace, texts] : [trace], layout };
  };

  const faded = (name) => {
    const ink = colour(name);
    return /^#[0-9a-f]{6}$/i.test(ink) ? `${ink}66` : ink;
  };

  // Flows take the colour of where they come from.
  const flowing = (figures, size) => {
    const { nodes, flows } = figures;
    const format = figures.unit === "percent" ? ".1%" : ",.0f";
    const trace = {
      type: "sankey",
      arrangement: "fixed",
      valueformat: format,
      textfont: { color: colour("ink"), size: 12, shadow: "none" },
      node: {
        label: nodes.map(({ name }) => plain(shorten(name, room(size.width * 0.3)))),
        color: nodes.map((node) => colour(node.colour)),
        customdata: nodes.map(({ name }) => plain(name)),
        line: { width: 0 },
        pad: 16,
        thickness: 12,
        hovertemplate: "%{customdata}: %{value}<extra></extra>",
      },
      link: {
        source: flows.map(([from]) => from),
        target: flows.map(([, to]) => to),
        value: flows.map(([, , value]) => value),
        color: flows.map(([from]) => faded(nodes[from].colour)),
        hovertemplate: "%{source.customdata} → %{target.customdata}: %{value}<extra></extra>",
      },
    };
    return { traces: [trace], layout: layoutOf(size, { l: 8, r: 8, t: 10, b: 10 }, {}) };
  };

  const kinds = { lines: overDays, bars: overDays, curve: overSteps, hbars: lying, heatmap: fields, sankey: flowing };

  // Charts whose parts are named grow with the number of names.
  const tall = (figures) => {
    if (figures.kind === "hbars") return 60 + figures.names.length * 30;
    if (figures.kind === "heatmap") return 34 + figures.rows.length * 30;
    return 0;
  };

  const draw = async (chart) => {
    const Plotly = await loadPlotly();
    const figures = figuresOf(chart);
    const size = { width: chart.clientWidth, height: chart.clientHeight };
    const { traces, layout } = kinds[figures.kind](figures, size);
    await Plotly.react(chart, traces, layout, { displayModeBar: false, responsive: false });
    chart.classList.add("drawn");
    drawn.add(chart);
  };

  // A picture of the chart as it is on the page, with its title.
  const save = async (chart, format) => {
    if (!drawn.has(chart)) await draw(chart);
    const heading = chart.closest("section").querySelector("h2").textContent;
    const { margin, width, height } = chart.layout;
    const title = { text: plain(heading), x: 0.01, y: 0.98, yanchor: "top", font: { size: 15, color: colour("ink") } };
    const picture = {
      data: chart.data,
      layout: { ...chart.layout, title, margin: { ...margin, t: margin.t + 34 }, height: height + 34 },
    };
    const options = { format, width, height: height + 34, scale: format === "png" ? 2 : 1, filename: chart.dataset.name };
    await window.Plotly.downloadImage(picture, options);
  };

  const addButtons = (chart) => {
    const section = chart.closest("section");
    const tools = section.querySelector(".tools");
    const heading = section.querySelector("h2").textContent;
    for (const format of ["svg", "png"]) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "save";
      button.textContent = format.toUpperCase();
      button.setAttribute("aria-label", `Save the chart “${heading}” as ${format.toUpperCase()}`);
      button.addEventListener("click", () => save(chart, format));
      tools?.append(button);
    }
  };

  const show = (chart) =>
    draw(chart).catch(() => {
      chart.classList.add("failed", "too-little");
      chart.style.height = "";
      chart.textContent = "The chart could not be drawn; the table below has its figures.";
      chart.closest("section").querySelectorAll("button.save").forEach((button) => button.remove());
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
  // before any is drawn: what is below it must not jump then
  for (const chart of charts) {
    const height = tall(figuresOf(chart));
    if (height) chart.style.height = `${height}px`;
  }
  charts.forEach((chart) => whenSeen.observe(chart));
  charts.forEach(addButtons);
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
      .map((chart) => chart.closest("section").querySelector("details:not([open])"))
      .filter((details) => details);
    opened.forEach((details) => (details.open = true));
  });
  addEventListener("afterprint", () => opened.forEach((details) => (details.open = false)));
})();
