"use strict";
(() => {
  const root = document.documentElement;
  const boxes = [...document.querySelectorAll(".plot")];
  const hidden = new Set();
  const touch = matchMedia("(pointer: coarse)").matches;
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const visible = (box) => box.offsetParent !== null;
  const drawn = () => boxes.filter((box) => box.dataset.drawn);

  // Colours of the page, for plots that were drawn and for those that will be.
  function theme() {
    const style = getComputedStyle(root);
    const colour = (name) => style.getPropertyValue(name).trim();
    const update = { "font.color": colour("--ink"), "hoverlabel.font.color": colour("--ink") };
    update["hoverlabel.bgcolor"] = colour("--tint");
    update["hoverlabel.bordercolor"] = colour("--line");
    for (const axis of ["xaxis", "yaxis"]) {
      update[`${axis}.gridcolor`] = colour("--grid");
      update[`${axis}.linecolor`] = colour("--line");
      update[`${axis}.tickcolor`] = colour("--line");
    }
    return update;
  }

  function axis(given) {
    return {
      automargin: true, zeroline: false, showline: true, ticks: "outside", ticklen: 4,
      nticks: 7, ...given, title: { ...given.title, font: { size: 12 }, standoff: 8 },
    };
  }

  function draw(box) {
    if (box.dataset.drawn) return;
    box.dataset.drawn = "yes";
    const { data, layout } = JSON.parse(box.nextElementSibling.textContent);
    if (layout.height) box.style.height = `${layout.height}px`;
    for (const trace of data) trace.visible = !hidden.has(trace.meta);
    const base = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
      margin: { l: 44, r: 10, t: 12, b: 40 }, dragmode: touch ? false : "zoom",
    };
    const font = { size: 12, family: getComputedStyle(document.body).fontFamily };
    const full = { ...layout, ...base, font, hoverlabel: {}, height: undefined };
    full.xaxis = axis(layout.xaxis);
    full.yaxis = axis(layout.yaxis);
    for (const [path, value] of Object.entries(theme())) {
      const keys = path.split(".");
      const last = keys.pop();
      keys.reduce((at, key) => (at[key] = at[key] || {}), full)[last] = value;
    }
    const config = { responsive: true, displaylogo: false, displayModeBar: touch ? false : "hover" };
    config.modeBarButtonsToRemove = ["select2d", "lasso2d", "autoScale2d"];
    Plotly.newPlot(box, data, full, config);
  }

  // One plot at a time, so that the page can be read while they are drawn.
  async function drawVisible() {
    for (const box of boxes) {
      if (!visible(box)) continue;
      if (!box.dataset.drawn) await new Promise((next) => setTimeout(next));
      if (visible(box)) draw(box);
    }
    root.dataset.plots = "drawn";
  }

  function show(buttons, shown) {
    for (const button of buttons) {
      if (shown) hidden.delete(button.dataset.method);
      else hidden.add(button.dataset.method);
      button.setAttribute("aria-pressed", String(shown));
    }
    const names = new Set(buttons.map((button) => button.dataset.method));
    for (const box of drawn()) {
      const traces = box.data.flatMap((trace, k) => (names.has(trace.meta) ? [k] : []));
      if (traces.length) Plotly.restyle(box, { visible: shown }, traces);
    }
  }

  const methods = [...document.querySelectorAll("[data-method]")];
  for (const button of methods) {
    button.addEventListener("click", () => show([button], hidden.has(button.dataset.method)));
  }
  for (const button of document.querySelectorAll("[data-all]")) {
    button.addEventListener("click", () => show(methods, button.dataset.all === "true"));
  }

  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", () => {
      for (const other of document.querySelectorAll("[data-show]")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      for (const part of document.querySelectorAll("[data-protocol]")) {
        part.hidden = part.dataset.protocol !== button.dataset.show;
      }
      delete root.dataset.plots;
      // The window may have changed while these were hidden.
      for (const box of drawn().filter(visible)) Plotly.Plots.resize(box);
      drawVisible();
    });
  }

  for (const table of document.querySelectorAll("table")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      head.querySelector("button").addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of heads) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const compare = "numeric" in head.dataset ? (a, b) => a - b : (a, b) => a.localeCompare(b);
        const rows = [...table.tBodies[0].rows].map((row) => [row.cells[column].dataset.sort, row]);
        rows.sort(([a], [b]) => {
          // Without a value: last in either direction.
          if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
          return up ? compare(a, b) : compare(b, a);
        });
        table.tBodies[0].append(...rows.map(([, row]) => row));
      });
    });
  }

  const repaint = () => {
    for (const box of drawn()) Plotly.relayout(box, theme());
  };
  dark.addEventListener("change", repaint);

  // Everything here happens at once: printing waits for nothing, not even Plotly's own resize.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("[data-protocol][hidden]")];
    for (const part of closed) part.hidden = false;
    root.classList.add("printing");
    for (const box of boxes) draw(box);
    for (const box of boxes) {
      Plotly.relayout(box, { ...theme(), width: box.clientWidth, height: box.clientHeight });
    }
  });
  addEventListener("afterprint", () => {
    for (const part of closed) part.hidden = true;
    root.classList.remove("printing");
    for (const box of boxes) {
      Plotly.relayout(box, { ...theme(), width: null, height: null, autosize: true });
    }
  });

  drawVisible();
})();
