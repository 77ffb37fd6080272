/* What a search found: the areas and lines asked for, and of each result the fixes that prove it. */
(function () {
  "use strict";
  const gp = (window.geoPolicing = window.geoPolicing || {});
  const el = gp.element;
  const ASKED = "#22303f";
  const WORDS = {
    areas: ["区域数", "areas"], in_areas: ["在区域", "in areas"], presences: ["次", "times"], seconds: ["停留", "stayed"],
    places: ["同地", "places"], by_chance: ["偶然期望", "by chance"], surprise: ["显著度", "surprise"],
    stays: ["停留次数", "stays"], total_s: ["合计", "total"], night_s: ["夜间", "night"], work_s: ["工时", "working hours"],
    guess: ["推测", "guess"], night_hours: ["夜间小时", "night hours"], day_hours: ["白天小时", "day hours"],
    rightwards: ["方向", "direction"], score: ["得分", "score"], fitting: ["吻合目击", "fitting"],
    leg: ["", ""], lasted_s: ["历时", "lasted"], length_m: ["长度 m", "length m"], silent_s: ["最长静默", "silent at most"],
    fixes: ["定位", "fixes"], share: ["重合", "share"], driven_m: ["重合 m", "driven m"], firm: ["确凿", "firm"],
    leaps: ["跳点", "leaps"], strands: ["车数", "strands"], sightings: ["共", "of"], met: ["到过", "met"], unseen: ["未见", "unseen"],
  };
  const PROOF = { presence: "出现 Presence", stay: "停留 Stay", meeting: "同行 Meeting", passage: "过线 Passage", trip: "行程 Trip", gap: "空白 Gap", along: "沿线 Along the path", step: "矛盾 Impossible step", fit: "吻合 Fit" };
  const GUESS = { home: "家? home?", work: "单位? work?" };
  const HIDDEN = new Set(["rank", "device", "name", "kind", "evidence"]);

  const duration = (s) => (s >= 5400 ? (s / 3600).toFixed(1) + " h" : s >= 90 ? Math.round(s / 60) + " min" : Math.round(s) + " s");
  const latlng = ([lon, lat]) => [lat, lon];

  function value(name, given) {
    if (given === null) return "—";
    if (name === "leg") return PROOF[given] || String(given);
    if (name === "guess") return GUESS[given] || String(given);
    if (name === "rightwards") return given ? "左→右 rightwards" : "右→左 leftwards";
    if (name === "seconds" || name.endsWith("_s")) return duration(given);
    return Array.isArray(given) ? given.join(", ") : String(given);
  }

  class SearchMap {
    constructor(map, data, options) {
      this.map = map;
      this.data = data;
      this.options = options;
      this.clock = gp.clock(options.timeZone);
      this.groups = new Map();
      this.chosen = null;
      this.drawAsked();
      for (const result of [...data.results].reverse()) this.draw(result);
      this.panel();
    }

    drawAsked() {
      for (const feature of this.data.features.filter((f) => f.properties.what === "area")) {
        const about = feature.properties;
        const says = "区域 Area " + about.number + (about.from ? " · " + this.span(about) : "");
        const shape = L.geoJSON(feature.geometry, { style: { color: ASKED, weight: 2, dashArray: "6 4", fillOpacity: 0.05 } });
        shape.bindTooltip(el("span", {}, says), { sticky: true }).addTo(this.map);
        const icon = L.divIcon({ className: "", iconSize: [22, 22], html: el("span", { class: "gp-area" }, String(about.number)) });
        L.marker(shape.getBounds().getCenter(), { icon, interactive: false, keyboard: false }).addTo(this.map);
      }
      for (const feature of this.data.features.filter((f) => f.properties.what === "line")) {
        const line = feature.geometry.coordinates.map(latlng);
        L.polyline(line, { color: ASKED, weight: 4 }).bindTooltip("线 Line").addTo(this.map);
        L.circleMarker(line[0], { radius: 5, color: ASKED, fillColor: "#ffffff", fillOpacity: 1 })
          .bindTooltip("线的起点 Start of the line").addTo(this.map);
      }
      for (const feature of this.data.features.filter((f) => f.properties.what === "track")) {
        const lines = feature.geometry.type === "LineString" ? [feature.geometry.coordinates] : feature.geometry.coordinates;
        for (const line of lines) {
          L.polyline(line.map(latlng), { color: "#1c5fa8", weight: 5, opacity: feature.properties.inferred ? 0.45 : 0.8, dashArray: feature.properties.inferred ? "7 7" : null })
            .bindTooltip("第一名的轨迹 Track of the first", { sticky: true }).addTo(this.map);
        }
      }
      for (const feature of this.data.features.filter((f) => f.properties.what === "sighting")) {
        const middle = L.geoJSON(feature.geometry).getBounds().getCenter();
        L.circleMarker(middle, { radius: 11, color: "#b0302a", weight: 3, fillColor: "#ffffff", fillOpacity: 0.9 })
          .bindTooltip(el("span", {}, ["目击 Sighting " + feature.properties.number, feature.properties.observer, this.span(feature.properties)].filter(Boolean).join(" · "))).addTo(this.map);
      }
    }

    span(about) {
      const from = this.clock.full(Date.parse(about.from));
      return about.until && about.until !== about.from ? from + "–" + this.clock.time(Date.parse(about.until)) : from;
    }

    colour(rank) {
      const palette = this.options.colours;
      const at = this.data.results.findIndex((r) => r.rank === rank);
      return at < palette.length ? palette[at] : this.options.others;
    }

    draw(result) {
      const group = L.featureGroup();
      const colour = this.colour(result.rank);
      for (const feature of this.data.features.filter((f) => f.properties.rank === result.rank && f.geometry)) {
        const about = feature.properties;
        if (about.what === "place") {
          L.circleMarker(latlng(feature.geometry.coordinates), { radius: 11, color: "#ffffff", weight: 3, fillColor: colour, fillOpacity: 1 })
            .bindTooltip(el("span", {}, result.rank + " · " + this.facts(result))).addTo(group);
          continue;
        }
        const line = feature.geometry.coordinates.map(latlng);
        if (line.length > 1) L.polyline(line, { color: colour, weight: 2.5, opacity: 0.7, interactive: false }).addTo(group);
        line.forEach((at, i) => {
          const says = [result.name, PROOF[about.what] || about.what, about.area ? "区域 " + about.area : null, about.sighting ? "目击 " + about.sighting : null,
            this.clock.full(Date.parse(about.times[i])), about.sources[i],
            about.accuracy_m[i] === null ? null : "±" + about.accuracy_m[i] + " m"];
          L.circleMarker(at, { radius: 5, color: "#ffffff", weight: 1.5, fillColor: colour, fillOpacity: 0.95 })
            .bindTooltip(el("span", {}, says.filter(Boolean).join(" · "))).addTo(group);
        });
      }
      this.groups.set(result.rank, group);
      group.addTo(this.map);
    }

    facts(result) {
      return Object.entries(result).filter(([name, given]) => !HIDDEN.has(name) && given !== null && (typeof given !== "object" || Array.isArray(given)))
        .map(([name, given]) => (WORDS[name] || [name, ""]).join(" ").trim() + " " + value(name, given)).join(" · ");
    }

    /* One result alone, or all of them again. */
    choose(rank) {
      this.chosen = this.chosen === rank ? null : rank;
      for (const [other, group] of this.groups) {
        if (this.chosen === null || other === this.chosen) group.addTo(this.map);
        else group.remove();
      }
      for (const [other, button] of this.buttons) button.setAttribute("aria-pressed", String(other === this.chosen));
      const bounds = this.chosen === null ? null : this.groups.get(rank).getBounds();
      if (bounds && bounds.isValid()) this.map.fitBounds(bounds, { maxZoom: 17, padding: [40, 40], animate: false });
    }

    panel() {
      const { data, options } = this;
      this.buttons = new Map();
      const rows = data.results.map((result) => {
        const button = el("button", { type: "button", "aria-pressed": "false", onclick: () => this.choose(result.rank) },
          el("strong", {}, result.rank + " " + result.name), " ", gp.both("kind", result.kind), el("br"), this.facts(result));
        this.buttons.set(result.rank, button);
        return el("li", {}, el("span", { class: "gp-swatch", style: "background:" + this.colour(result.rank) }), button);
      });
      const narrow = window.innerWidth <= 640;
      const box = el("section", { class: "gp-legend gp-search", "aria-label": options.title },
        gp.wayHome(options.homeUrl),
        el("h2", {}, options.title),
        el("p", {}, data.reason),
        el("p", {}, "结果 Found " + data.found + (data.told < data.found ? " · 显示 shown " + data.told : "")),
        (data.notes || []).map((note) => el("p", { class: "gp-note" }, note)),
        el("details", { open: !narrow || rows.length <= 2 }, el("summary", {}, "名单 Results"),
          rows.length ? el("ol", {}, rows) : el("p", {}, "没有 Nobody")));
      L.DomEvent.disableClickPropagation(box);
      L.DomEvent.disableScrollPropagation(box);
      const control = L.control({ position: narrow ? "bottomleft" : "topright" });
      control.onAdd = () => box;
      control.addTo(this.map);
    }
  }

  gp.searchMap = function (map, data, options) {
    gp.search = new SearchMap(map, data, options);
    return gp.search;
  };
})();
