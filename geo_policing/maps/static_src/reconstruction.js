/* A reconstruction: cells that darken with the probability at a moment, paths, sightings and gates. */
(function () {
  "use strict";
  const gp = (window.geoPolicing = window.geoPolicing || {});
  const el = gp.element;
  const STEPS = [
    { from: 0.2, colour: "#7a0177", says: "≥ 20 %" },
    { from: 0.05, colour: "#c51b8a", says: "5–20 %" },
    { from: 0.01, colour: "#f768a1", says: "1–5 %" },
    { from: 0.002, colour: "#fbb4b9", says: "0.2–1 %" },
    { from: 0, colour: "#fde3e6", says: "< 0.2 %" },
  ];
  const BEST = "#1c5fa8";
  const OTHER = "#3aa0c9";
  const FITS = "#1d7a45";
  const MISFIT = "#b0302a";
  const UNKNOWN = "#5a6776";
  const percent = (p) => (p >= 0.0995 ? Math.round(p * 100) : (p * 100).toFixed(1)) + " %";
  const GATES = { bridge: "桥 Bridge", ramp: "匝道 Ramp", border: "出城 Exit", given: "卡口 Gate" };

  class ReconstructionMap {
    constructor(map, data, options) {
      this.map = map;
      this.data = data;
      this.options = options;
      this.clock = gp.clock(options.timeZone);
      this.times = data.frames.map((f) => Date.parse(f.time));
      this.at = 0;
      this.cells = L.layerGroup().addTo(map);
      this.lines = L.layerGroup().addTo(map);
      this.marks = L.layerGroup().addTo(map);
      this.gates = L.layerGroup();
      this.where = L.circleMarker([0, 0], { radius: 8, color: "#ffffff", weight: 3, fillColor: BEST, fillOpacity: 1, interactive: false });
      this.drawPaths();
      this.drawSightings();
      this.panel();
      this.show(0);
    }

    drawPaths() {
      const sampled = this.data.paths.filter((p) => p.properties.kind !== "best");
      const best = this.data.paths.filter((p) => p.properties.kind === "best");
      const latlngs = (p) => p.geometry.coordinates.map(([lon, lat]) => [lat, lon]);
      /* Said of each path where it is not known what the suspect travels with. */
      const by = (p) => (p.properties.mode ? " · " + p.properties.mode : "");
      const says = (text) => el("span", {}, text);
      for (const path of sampled.reverse()) {
        const share = path.properties.probability;
        L.polyline(latlngs(path), { color: OTHER, weight: 3, opacity: 0.35 + 0.5 * share, dashArray: "6 5" })
          .bindTooltip(says("抽样路径 Sampled path · " + percent(share) + by(path)), { sticky: true }).addTo(this.lines);
      }
      for (const path of best) {
        L.polyline(latlngs(path), { color: "#ffffff", weight: 7, opacity: 0.9, interactive: false }).addTo(this.lines);
        L.polyline(latlngs(path), { color: BEST, weight: 4 })
          .bindTooltip(says("代表路径 Representative path" + by(path)), { sticky: true }).addTo(this.lines);
      }
    }

    fitOf(about) {
      return about.fits === null ? UNKNOWN : about.fits ? FITS : MISFIT;
    }

    describe(about) {
      const parts = [this.clock.time(Date.parse(about.time)) + (about.until ? "–" + this.clock.time(Date.parse(about.until)) : "")];
      if (about.observer) parts.push(about.observer);
      parts.push("后验 " + percent(about.probability));
      if (about.leave_one_out !== null) parts.push((about.fits ? "相符 fits " : "不符 misfit ") + percent(about.leave_one_out));
      return parts.join(" · ");
    }

    drawSightings() {
      this.data.sightings.forEach((sighting, i) => {
        const about = sighting.properties;
        const colour = this.fitOf(about);
        if (sighting.geometry.type !== "Point") {
          L.geoJSON(sighting.geometry, { style: { color: colour, weight: 2, fillOpacity: 0.06 }, interactive: false }).addTo(this.marks);
        }
        L.circleMarker(sighting.at, { radius: 10, color: "#ffffff", weight: 2.5, fillColor: colour, fillOpacity: 1 })
          .bindTooltip(el("span", {}, i + 1 + " · " + this.describe(about))).addTo(this.marks);
        const icon = L.divIcon({ className: "", iconSize: [20, 20], html: el("span", { style: "display:block;text-align:center;font:600 12px/20px var(--gp-font);color:#fff;pointer-events:none" }, String(i + 1)) });
        L.marker(sighting.at, { icon, interactive: false, keyboard: false }).addTo(this.marks);
      });
    }

    show(k) {
      this.at = k;
      const frame = this.data.frames[k];
      const time = this.times[k];
      this.cells.clearLayers();
      frame.cells.forEach((cell, i) => {
        const p = frame.parts[i] / this.data.parts;
        const step = STEPS.find((s) => p >= s.from);
        L.polygon(this.data.rings[cell].map(([lon, lat]) => [lat, lon]), { stroke: true, color: step.colour, weight: 0.6, fillColor: step.colour, fillOpacity: 0.55 })
          .bindTooltip(percent(p), { sticky: true }).addTo(this.cells);
      });
      this.cells.eachLayer((layer) => layer.bringToBack && layer.bringToBack());
      this.place(time);
      const area = frame.area === null ? "" : " · 90 %: " + frame.area.toFixed(2) + " km²";
      this.slider.value = k;
      this.now.textContent = this.clock.full(time) + area;
      this.slider.setAttribute("aria-valuetext", this.now.textContent);
      this.drawGates(time);
    }

    /* Where the representative path is at a moment: evenly along each edge, from when it was entered to the next. */
    place(time) {
      const best = this.data.paths.find((p) => p.properties.kind === "best");
      const about = best.properties;
      const seen = this.data.sightings.map((s) => Date.parse(s.properties.until || s.properties.time));
      const entered = about.entered.map((t) => Date.parse(t));
      const times = [...entered, Math.max(entered[entered.length - 1], ...seen)];
      if (time < times[0] || time > times[times.length - 1]) {
        this.where.remove();
        return;
      }
      /* Reconstructions kept from before this was told: edges alike, however long. */
      const marks = about.begins_m ? [...about.begins_m, about.length_m] : times.map((_, i) => i);
      let i = 0;
      while (i + 2 < times.length && times[i + 1] <= time) i++;
      const part = times[i + 1] > times[i] ? (time - times[i]) / (times[i + 1] - times[i]) : 1;
      const share = (marks[i] + part * (marks[i + 1] - marks[i])) / (marks[marks.length - 1] || 1);
      this.where.setLatLng(this.along(best.geometry.coordinates, share)).addTo(this.map);
    }

    /* The place at a share of the length of a line. */
    along(line, share) {
      const east = Math.cos((line[0][1] * Math.PI) / 180);
      const parts = line.slice(1).map((b, k) => Math.hypot((b[0] - line[k][0]) * east, b[1] - line[k][1]));
      let left = share * parts.reduce((sum, part) => sum + part, 0);
      let k = 0;
      while (k + 1 < parts.length && left > parts[k]) left -= parts[k++];
      const t = parts[k] ? Math.min(1, left / parts[k]) : 0;
      const [a, b] = [line[k], line[Math.min(k + 1, line.length - 1)]];
      return [a[1] + t * (b[1] - a[1]), a[0] + t * (b[0] - a[0])];
    }

    drawGates(time) {
      this.gates.clearLayers();
      this.gateList.replaceChildren();
      const now = this.data.gates.map((gate) => {
        const about = gate.properties;
        let k = -1;
        while (k + 1 < about.times.length && Date.parse(about.times[k + 1]) <= time) k++;
        return { gate, passed: k < 0 ? 0 : about.passed[k], last: about.passed[about.passed.length - 1] };
      });
      const told = now.filter((g) => g.last >= 0.005).slice(0, 12);
      for (const { gate, passed, last } of told) {
        const about = gate.properties;
        const [lon, lat] = gate.geometry.coordinates;
        const says = GATES[about.kind] + " " + about.name + " · 已过 passed " + percent(passed);
        L.circleMarker([lat, lon], { radius: 7, color: "#22303f", weight: 2, fillColor: "#ffd54a", fillOpacity: 0.3 + 0.7 * passed })
          .bindTooltip(el("span", {}, says + " · 最早 earliest " + this.clock.time(Date.parse(about.earliest)))).addTo(this.gates);
        this.gateList.append(el("li", {},
          el("button", { type: "button", onclick: () => this.map.setView([lat, lon], 15) }, GATES[about.kind] + " " + about.name),
          el("span", {}, percent(passed) + " → " + percent(last))));
      }
      if (told.length && !this.map.hasLayer(this.gates)) this.gates.addTo(this.map);
    }

    play() {
      if (this.playing) {
        clearInterval(this.playing);
        this.playing = 0;
      } else {
        this.playing = setInterval(() => this.show((this.at + 1) % this.times.length), 600);
      }
      this.button.textContent = this.playing ? "暂停 Pause" : "播放 Play";
    }

    panel() {
      this.now = el("output", { class: "gp-now" }, "");
      this.slider = el("input", {
        type: "range", min: 0, max: Math.max(0, this.times.length - 1), value: 0, step: 1, "aria-label": "时刻 Time",
        oninput: () => this.show(Number(this.slider.value)),
      });
      this.button = el("button", { type: "button", class: "gp-play", onclick: () => this.play() }, "播放 Play");
      this.gateList = el("ol", {});
      const narrow = window.innerWidth <= 640;
      const seen = this.data.sightings.map((s, i) => el("li", {},
        el("button", { type: "button", onclick: () => this.map.setView(s.at, 16) }, i + 1 + " " + this.describe(s.properties)),
        s.properties.fits === false ? el("span", { class: "gp-misfit" }, "✗") : null));
      const swatch = (step) => el("span", { style: "background:" + step.colour, title: step.says });
      const box = el("section", { class: "gp-legend gp-reconstruction", "aria-label": "轨迹还原 Reconstruction" },
        gp.wayHome(this.options.homeUrl),
        el("h2", {}, this.options.title + (this.options.mode ? " · " + this.options.mode : "")),
        el("div", { class: "gp-slide" }, this.slider, this.now),
        el("div", { class: "gp-steps" }, this.button),
        el("details", { open: !narrow }, el("summary", {}, "说明 Details"),
          el("p", { class: "gp-warning" }, "地点的概率,不是有罪的概率 Probabilities of places, not of guilt"),
          el("div", { class: "gp-scale", "aria-hidden": "true" }, [...STEPS].reverse().map(swatch)),
          el("p", {}, [...STEPS].reverse().map((s) => s.says).join(" · ")),
          el("h3", {}, "目击 Sightings"), el("ol", {}, seen),
          this.data.gates.length ? el("h3", {}, "围堵 Gates: 已过→末 passed → by the end") : null, this.gateList));
      L.DomEvent.disableClickPropagation(box);
      L.DomEvent.disableScrollPropagation(box);
      const control = L.control({ position: narrow ? "bottomleft" : "topright" });
      control.onAdd = () => box;
      control.addTo(this.map);
    }
  }

  gp.reconstructionMap = function (map, data, options) {
    gp.reconstruction = new ReconstructionMap(map, data, options);
    return gp.reconstruction;
  };
})();
