"use strict";
(function () {
  var data = JSON.parse(document.getElementById("data").textContent);
  var body = document.body;
  function japanese() { return body.classList.contains("show-ja"); }
  function show(language) {
    body.classList.remove("show-en", "show-ja");
    body.classList.add("show-" + language);
    document.documentElement.lang = language;
    document.getElementById("switch").textContent = language === "ja" ? "English" : "日本語";
    if (draw) { options(); draw(); }
  }
  var start = location.hash === "#ja" || (location.hash !== "#en" && /^ja/.test(navigator.language || "")) ? "ja" : "en";
  document.getElementById("switch").addEventListener("click", function () { show(japanese() ? "en" : "ja"); });
  document.getElementById("print").addEventListener("click", function () { window.print(); });
  var opened = [];
  window.addEventListener("beforeprint", function () {
    opened = Array.prototype.slice.call(document.querySelectorAll("details[data-print]:not([open])"));
    opened.forEach(function (d) { d.open = true; });
  });
  window.addEventListener("afterprint", function () { opened.forEach(function (d) { d.open = false; }); });
  function light(id) {
    var target = document.getElementById("f" + id);
    if (!target) { return; }
    document.querySelectorAll(".lit").forEach(function (e) { e.classList.remove("lit"); });
    target.open = true;
    target.classList.add("lit");
    target.scrollIntoView({ block: "center" });
  }
  document.addEventListener("click", function (event) {
    var link = event.target.closest ? event.target.closest("a[href^='#f']") : null;
    if (link && /^#f\d+$/.test(link.getAttribute("href"))) { event.preventDefault(); light(link.getAttribute("href").slice(2)); }
  });

  // Deadlines of the report to the commission, from the day of knowing.
  var known = document.getElementById("known");
  if (known) {
    known.addEventListener("change", function () {
      document.querySelectorAll("[data-days]").forEach(function (cell) {
        var day = new Date(known.value + "T00:00:00Z");
        if (isNaN(day)) { cell.textContent = ""; return; }
        day.setUTCDate(day.getUTCDate() + Number(cell.getAttribute("data-days")));
        cell.textContent = day.toISOString().slice(0, 10);
      });
    });
  }

  var draw = null, options = function () {};
  var holder = document.getElementById("picture");
  if (holder && data.points.length) { picture(); }
  show(start);

  function picture() {
    var NS = "http://www.w3.org/2000/svg";
    var colours = { delivery: "#7a5fb5", execution: "#c0392b", install: "#d1700c", persistence: "#a1561b", binary: "#8c2f5b",
      c2: "#1f6fb2", collection: "#2a8f8a", lateral: "#b03a76", av: "#2e7d4f", followon: "#6b4226", antiforensics: "#59606c",
      mail: "#3f51b5", exposure: "#7f8c8d", fact: "#a9b3c2" };
    var svg = document.createElementNS(NS, "svg");
    holder.appendChild(svg);
    var lanes = data.lanes, left = 128, right = 16, top = 12, row = 30, axis = 34;
    var height = top + lanes.length * row + axis;
    var low = Math.min.apply(null, data.points.map(function (p) { return p.t; }));
    var high = Math.max.apply(null, data.points.map(function (p) { return p.t; }));
    var pad = Math.max((high - low) * 0.02, 60000);
    var all = [low - pad, high + pad], view = all.slice();
    if (data.window) {
      var wide = Math.max((data.window[1] - data.window[0]) * 0.04, 120000);
      view = [data.window[0] - wide, data.window[1] + wide];
    }
    var stage = document.getElementById("by-stage"), user = document.getElementById("by-user"),
      artifact = document.getElementById("by-artifact"), picked = document.getElementById("picked");
    function values(key) {
      var seen = {};
      data.points.forEach(function (p) { if (p[key]) { seen[p[key]] = (seen[p[key]] || 0) + 1; } });
      return Object.keys(seen).sort().map(function (k) { return [k, k + " (" + seen[k] + ")"]; });
    }
    function fill(select, label, list) {
      var old = select.value;
      select.textContent = "";
      [["", label]].concat(list).forEach(function (o) {
        var option = document.createElement("option");
        option.value = o[0]; option.textContent = o[1]; select.appendChild(option);
      });
      select.value = old;
    }
    options = function () {
      var ja = japanese();
      fill(stage, ja ? "すべての段階" : "all stages", lanes.map(function (l) { return [l.key, ja ? l.ja : l.en]; }));
      fill(user, ja ? "すべてのユーザー" : "all users", values("user"));
      fill(artifact, ja ? "すべてのアーティファクト" : "all artifacts", values("artifact"));
    };
    [stage, user, artifact].forEach(function (s) { s.addEventListener("change", function () { draw(); }); });
    function make(name, attributes, parent, text) {
      var e = document.createElementNS(NS, name);
      Object.keys(attributes).forEach(function (k) { e.setAttribute(k, attributes[k]); });
      if (text !== undefined) { e.textContent = text; }
      parent.appendChild(e);
      return e;
    }
    function two(n) { return (n < 10 ? "0" : "") + n; }
    var shift = function () { return japanese() ? 9 * 3600000 : 0; };
    function label(t, step) {
      var d = new Date(t + shift());
      var day = d.getUTCFullYear() + "-" + two(d.getUTCMonth() + 1) + "-" + two(d.getUTCDate());
      if (step >= 86400000) { return day; }
      var clock = two(d.getUTCHours()) + ":" + two(d.getUTCMinutes());
      if (step < 60000) { clock += ":" + two(d.getUTCSeconds()); }
      return d.getUTCHours() + d.getUTCMinutes() + d.getUTCSeconds() === 0 ? day : clock;
    }
    var STEPS = [1e3, 5e3, 15e3, 3e4, 6e4, 3e5, 9e5, 18e5, 36e5, 108e5, 216e5, 432e5, 864e5, 1728e5, 6048e5, 2592e6, 7776e6, 31536e6];
    draw = function () {
      var width = Math.max(holder.clientWidth, 320), inner = width - left - right;
      svg.textContent = "";
      svg.setAttribute("viewBox", "0 0 " + width + " " + height);
      svg.setAttribute("height", height);
      var x = function (t) { return left + (t - view[0]) / (view[1] - view[0]) * inner; };
      if (data.window) {
        var a = Math.max(x(data.window[0]), left), b = Math.min(x(data.window[1]), width - right);
        if (b > a) { make("rect", { x: a, y: top, width: b - a, height: lanes.length * row, fill: "#fbeeee" }, svg); }
      }
      lanes.forEach(function (lane, i) {
        var y = top + i * row;
        make("line", { x1: 0, x2: width, y1: y + row, y2: y + row, stroke: "#e6e9ee" }, svg);
        make("text", { x: 12, y: y + row / 2 + 4, "font-size": 12.5, fill: "#3b4658" }, svg, japanese() ? lane.ja : lane.en);
      });
      var span = view[1] - view[0], step = STEPS[STEPS.length - 1];
      for (var s = 0; s < STEPS.length; s++) { if (span / STEPS[s] <= inner / 92) { step = STEPS[s]; break; } }
      var bottom = top + lanes.length * row;
      for (var t = Math.ceil((view[0] + shift()) / step) * step - shift(); t <= view[1]; t += step) {
        make("line", { x1: x(t), x2: x(t), y1: top, y2: bottom + 5, stroke: "#e6e9ee" }, svg);
        make("text", { x: x(t), y: bottom + 19, "font-size": 11, fill: "#5b6678", "text-anchor": "middle" }, svg, label(t, step));
      }
      make("text", { x: 12, y: bottom + 19, "font-size": 11, fill: "#5b6678" }, svg, japanese() ? "JST (UTC+9)" : "UTC");
      data.points.forEach(function (p) {
        if (p.t < view[0] || p.t > view[1]) { return; }
        if ((stage.value && p.stage !== stage.value) || (user.value && p.user !== user.value)
          || (artifact.value && p.artifact !== artifact.value)) { return; }
        var lane = lanes.findIndex(function (l) { return l.key === p.stage; });
        if (lane < 0) { return; }
        var dot = make("circle", { cx: x(p.t), cy: top + lane * row + row / 2, r: 3.5 + Math.min(p.w || 0, 80) / 16,
          fill: colours[p.stage] || "#59606c", "fill-opacity": 0.72, stroke: "#fff", "stroke-width": 1, style: "cursor:pointer" }, svg);
        make("title", {}, dot, p.time + "\n" + name(p) + "\n" + p.text);
        dot.addEventListener("click", function () { pick(p); });
      });
    };
    function name(p) { return japanese() && p.title_ja ? p.title_ja : p.title; }
    function pick(p) {
      picked.textContent = "";
      var head = document.createElement("div");
      head.textContent = p.time + "  " + name(p) + (p.user ? "  [" + p.user + "]" : "") + "  (" + p.artifact + ")";
      head.style.fontWeight = "600";
      var text = document.createElement("div");
      text.textContent = p.text;
      picked.appendChild(head); picked.appendChild(text);
      if (p.id !== undefined && document.getElementById("f" + p.id)) {
        var link = document.createElement("a");
        link.href = "#f" + p.id;
        link.textContent = japanese() ? "証拠を表示" : "show the evidence";
        picked.appendChild(link);
      }
    }
    function zoom(factor, at) {
      var middle = at === undefined ? (view[0] + view[1]) / 2 : at;
      var span = Math.min(Math.max((view[1] - view[0]) * factor, 2000), (all[1] - all[0]) * 1.2);
      var share = (middle - view[0]) / (view[1] - view[0]);
      view = [middle - span * share, middle + span * (1 - share)];
      draw();
    }
    function time(event) {
      var box = svg.getBoundingClientRect();
      return view[0] + (event.clientX - box.left - left) / (box.width - left - right) * (view[1] - view[0]);
    }
    svg.addEventListener("wheel", function (e) { e.preventDefault(); zoom(e.deltaY > 0 ? 1.25 : 0.8, time(e)); }, { passive: false });
    var drag = null;
    svg.addEventListener("pointerdown", function (e) { drag = [e.clientX, view.slice()]; });
    window.addEventListener("pointerup", function () { drag = null; });
    svg.addEventListener("pointermove", function (e) {
      if (!drag) { return; }
      var moved = (e.clientX - drag[0]) / (svg.getBoundingClientRect().width - left - right) * (drag[1][1] - drag[1][0]);
      view = [drag[1][0] - moved, drag[1][1] - moved];
      draw();
    });
    document.getElementById("in").addEventListener("click", function () { zoom(0.5); });
    document.getElementById("out").addEventListener("click", function () { zoom(2); });
    document.getElementById("whole").addEventListener("click", function () { view = all.slice(); draw(); });
    var window_button = document.getElementById("window");
    if (data.window) {
      var own = view.slice();
      window_button.addEventListener("click", function () { view = own.slice(); draw(); });
    } else { window_button.remove(); }
    window.addEventListener("resize", function () { draw(); });
  }
})();
