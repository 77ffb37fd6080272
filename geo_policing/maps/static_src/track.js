/* A track: the fixes of one device, the path matched to them, and a time to look at. */
(function () {
  "use strict";
  const gp = (window.geoPolicing = window.geoPolicing || {});
  const el = gp.element;

  const GRADES = [
    { from: 0.9, colour: "#1c5fa8", says: "90 % 以上 or more" },
    { from: 0.6, colour: "#d98200", says: "60–90 %" },
    { from: -1, colour: "#c0392b", says: "不足 60 % less" },
  ];
  const UNKNOWN = { colour: "#5a6776", says: "未知 Unknown" };
  const gradeOf = (c) => (Number.isFinite(c) ? GRADES.find((g) => c >= g.from) : UNKNOWN);
  const km = (metres) => (metres < 950 ? Math.round(metres) + " m" : (metres / 1000).toFixed(metres < 9950 ? 2 : 1) + " km");

  function lengthOf(map, line) {
    let sum = 0;
    for (let i = 1; i < line.length; i++) sum += map.distance(line[i - 1], line[i]);
    return sum;
  }

  /* Where the mark of the start is drawn: above or below that of the end when they would cover each other. */
  const MARK = 28; // height with its edge, px
  const MARK_WIDTH = 96; // with its time
  function apart(start, end) {
    if (Math.abs(start.x - end.x) > MARK_WIDTH || Math.abs(start.y - end.y) > MARK) return start;
    return L.point(start.x, end.y + (start.y > end.y ? MARK : -MARK));
  }

  class TrackMap {
    constructor(map, data, options) {
      this.map = map;
      this.clock = gp.clock(options.timeZone);
      const fixes = data.features.find((f) => f.properties.role === "fixes");
      this.fixes = (fixes ? fixes.geometry.coordinates : []).map(([lon, lat], i) => ({
        lon, lat, i,
        time: Date.parse(fixes.properties.times[i]),
        speed: fixes.properties.speed_mps[i],
        accuracy: fixes.properties.accuracy_m[i],
      }));
      this.pieces = data.features.filter((f) => f.properties.role === "path").map((f) => ({
        line: f.geometry.coordinates.map(([lon, lat]) => L.latLng(lat, lon)),
        inferred: f.properties.inferred,
        confidence: f.properties.confidence === null ? NaN : f.properties.confidence,
        entered: f.properties.entered || [],
      }));
      this.draw();
      this.layer = new gp.SymbolLayer((...given) => this.paint(...given)).addTo(map);
      this.panel(options);
      map.on("mousemove", (event) => this.hover(event.containerPoint));
      map.on("click", (event) => {
        const hit = this.nearest(event.containerPoint);
        if (hit) this.show(hit.i);
      });
      this.tip = el("div", { class: "gp-tip", hidden: true });
      map.getContainer().append(this.tip);
    }

    draw() {
      const under = { color: "#ffffff", weight: 8, opacity: 0.9, interactive: false };
      for (const piece of this.pieces) if (!piece.inferred) L.polyline(piece.line, under).addTo(this.map);
      for (const piece of this.pieces) {
        const grade = gradeOf(piece.confidence);
        const style = { color: grade.colour, weight: 5, opacity: 0.95, lineCap: "round" };
        if (piece.inferred) Object.assign(style, { dashArray: "2 9", weight: 4.5 });
        const how = piece.inferred ? "推断 Inferred" : "观测 Observed";
        const sure = Number.isFinite(piece.confidence) ? Math.round(piece.confidence * 100) + " %" : "—";
        L.polyline(piece.line, style).bindTooltip(how + " · 置信度 Confidence " + sure, { sticky: true }).addTo(this.map);
      }
    }

    paint(ctx, point, size) {
      const font = getComputedStyle(document.documentElement).getPropertyValue("--gp-font");
      const inside = (at) => at.x > -20 && at.y > -20 && at.x < size.x + 20 && at.y < size.y + 20;
      const near = this.map.getZoom() >= 14;
      for (const piece of this.pieces) if (!piece.inferred) this.arrows(ctx, piece, point, inside);
      const r = near ? 3.6 : 2.4;
      ctx.lineWidth = 1.4;
      ctx.fillStyle = "#ffffff";
      ctx.strokeStyle = "#22303f";
      // Fixes that would touch the one before are left out, so that the path stays to be seen.
      let last = null;
      for (const fix of this.fixes) {
        const at = point(fix.lat, fix.lon);
        if (!inside(at) || (last && at.distanceTo(last) < 4 * r)) continue;
        last = at;
        ctx.beginPath();
        ctx.arc(at.x, at.y, r, 0, 7);
        ctx.fill();
        ctx.stroke();
      }
      const boxes = [];
      const label = (fix, colour, letter, at = point(fix.lat, fix.lon)) => {
        if (!inside(at)) return;
        const text = this.clock.time(fix.time);
        ctx.font = "600 12px " + font;
        const width = ctx.measureText(text).width + 12;
        const box = { x0: at.x + 12, x1: at.x + 12 + width, y0: at.y - 11, y1: at.y + 11 };
        if (!letter && boxes.some((b) => b.x0 < box.x1 && box.x0 < b.x1 && b.y0 < box.y1 && box.y0 < b.y1)) return;
        boxes.push(box);
        ctx.fillStyle = "rgba(255,255,255,.93)";
        ctx.beginPath();
        ctx.roundRect(box.x0, box.y0, width, 22, 4);
        ctx.fill();
        ctx.strokeStyle = "#c5ced8";
        ctx.lineWidth = 1;
        ctx.stroke();
        ctx.fillStyle = "#1d2733";
        ctx.textAlign = "left";
        ctx.textBaseline = "middle";
        ctx.fillText(text, box.x0 + 6, at.y + 0.5);
        if (!letter) return;
        ctx.beginPath();
        ctx.arc(at.x, at.y, 11, 0, 7);
        ctx.fillStyle = colour;
        ctx.strokeStyle = "#ffffff";
        ctx.lineWidth = 2.5;
        ctx.fill();
        ctx.stroke();
        ctx.fillStyle = "#ffffff";
        ctx.font = "600 12.5px " + font;
        ctx.textAlign = "center";
        ctx.fillText(letter, at.x, at.y + 0.5);
      };
      if (this.fixes.length) {
        const last = this.fixes[this.fixes.length - 1];
        const end = point(last.lat, last.lon);
        const start = point(this.fixes[0].lat, this.fixes[0].lon);
        const shown = this.fixes.length > 1 ? apart(start, end) : start;
        if (shown !== start) {
          ctx.beginPath();
          ctx.moveTo(start.x, start.y);
          ctx.lineTo(shown.x, shown.y);
          ctx.strokeStyle = "#1d7a45";
          ctx.lineWidth = 2.5;
          ctx.stroke();
        }
        label(this.fixes[0], "#1d7a45", "起", shown);
        if (this.fixes.length > 1) label(last, "#b0302a", "终");
        const every = Math.max(1, Math.ceil(this.fixes.length / (near ? 40 : 12)));
        for (let i = every; i < this.fixes.length - 1; i += every) label(this.fixes[i]);
      }
      const shown = this.fixes[this.at];
      if (shown) {
        const at = point(shown.lat, shown.lon);
        ctx.beginPath();
        ctx.arc(at.x, at.y, 9, 0, 7);
        ctx.fillStyle = "rgba(11,107,203,.25)";
        ctx.strokeStyle = gp.colours.selected;
        ctx.lineWidth = 3;
        ctx.fill();
        ctx.stroke();
      }
      return false;
    }

    /* Small arrows every hundred pixels say which way it went. */
    arrows(ctx, piece, point, inside) {
      let left = 50;
      let last = null;
      ctx.strokeStyle = "#ffffff";
      ctx.lineWidth = 1.8;
      ctx.lineCap = "round";
      for (const vertex of piece.line) {
        const at = point(vertex.lat, vertex.lng);
        if (last) {
          const step = at.distanceTo(last);
          const angle = Math.atan2(at.y - last.y, at.x - last.x);
          let along = left;
          for (; along < step; along += 100) {
            const here = { x: last.x + Math.cos(angle) * along, y: last.y + Math.sin(angle) * along };
            if (!inside(here)) continue;
            ctx.save();
            ctx.translate(here.x, here.y);
            ctx.rotate(angle);
            ctx.beginPath();
            ctx.moveTo(-2, -2.6);
            ctx.lineTo(1.4, 0);
            ctx.lineTo(-2, 2.6);
            ctx.stroke();
            ctx.restore();
          }
          left = along - step;
        }
        last = at;
      }
    }

    nearest(at) {
      let best = null;
      for (const fix of this.fixes) {
        const p = this.map.latLngToContainerPoint([fix.lat, fix.lon]);
        const away = Math.hypot(p.x - at.x, p.y - at.y);
        if (away < 10 && (!best || away < best.away)) best = { away, i: fix.i };
      }
      return best;
    }

    hover(at) {
      if (this.hovering) return;
      this.hovering = requestAnimationFrame(() => {
        this.hovering = 0;
        const hit = this.nearest(at);
        this.tip.hidden = !hit;
        this.map.getContainer().style.cursor = hit ? "pointer" : "";
        if (!hit) return;
        this.tip.textContent = this.describe(this.fixes[hit.i]);
        gp.placeTip(this.tip, at, this.map);
      });
    }

    describe(fix) {
      const parts = [this.clock.full(fix.time)];
      if (Number.isFinite(fix.speed)) parts.push(Math.round(fix.speed * 3.6) + " km/h");
      if (Number.isFinite(fix.accuracy)) parts.push("± " + Math.round(fix.accuracy) + " m");
      return parts.join(" · ");
    }

    show(i) {
      this.at = i;
      const fix = this.fixes[i];
      this.slider.value = i;
      this.slider.setAttribute("aria-valuetext", this.describe(fix));
      this.now.textContent = this.describe(fix);
      if (!this.map.getBounds().pad(-0.05).contains([fix.lat, fix.lon])) this.map.panTo([fix.lat, fix.lon]);
      this.layer.redraw();
    }

    panel(options) {
      const metres = (inferred) => this.pieces.filter((p) => p.inferred === inferred).reduce((sum, p) => sum + lengthOf(this.map, p.line), 0);
      const first = this.fixes[0];
      const last = this.fixes[this.fixes.length - 1];
      const line = (colour, dash) => {
        const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
        svg.setAttribute("width", "34");
        svg.setAttribute("height", "10");
        svg.setAttribute("aria-hidden", "true");
        const stroke = document.createElementNS("http://www.w3.org/2000/svg", "line");
        const set = { x1: 3, x2: 31, y1: 5, y2: 5, stroke: colour, "stroke-width": 5, "stroke-linecap": "round" };
        if (dash) Object.assign(set, { "stroke-dasharray": "1 8", "stroke-width": 4.5 });
        for (const [key, value] of Object.entries(set)) stroke.setAttribute(key, value);
        svg.append(stroke);
        return svg;
      };
      this.now = el("output", { class: "gp-now" }, this.fixes.length ? "拖动查看时刻 Drag to see a time" : "");
      this.slider = el("input", {
        type: "range", min: 0, max: Math.max(0, this.fixes.length - 1), value: 0, step: 1, "aria-label": "时刻 Time",
        oninput: () => this.show(Number(this.slider.value)),
      });
      const facts = [
        ["设备 Device", options.device],
        ["始 From", this.clock.full(Date.parse(options.start))],
        ["止 To", this.clock.full(Date.parse(options.end))],
        ["定位点 Fixes", String(this.fixes.length)],
        first ? ["首末 First, last", this.clock.time(first.time) + " – " + this.clock.time(last.time)] : null,
        this.pieces.length ? ["观测路径 Observed", km(metres(false))] : null,
        this.pieces.some((p) => p.inferred) ? ["推断路径 Inferred", km(metres(true))] : null,
      ].filter(Boolean);
      const grades = [...GRADES, UNKNOWN].filter((g) => this.pieces.some((p) => gradeOf(p.confidence) === g));
      const narrow = window.innerWidth <= 640;
      const box = el("section", { class: "gp-legend gp-track", "aria-label": "轨迹 Track" },
        gp.wayHome(options.homeUrl),
        el("h2", {}, "轨迹 Track · " + (options.name || options.device)),
        this.fixes.length > 1 ? el("div", { class: "gp-slide" }, this.slider, this.now) : null,
        this.fixes.length ? null : el("p", {}, "该时段内没有定位点 No fixes in this window"),
        el("details", { open: !narrow }, el("summary", {}, "说明 Details"),
          el("dl", { class: "gp-facts" }, facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
          this.pieces.length ? el("h3", {}, "路径置信度 Confidence") : null,
          el("ul", {}, grades.map((g) => el("li", {}, line(g.colour), g.says)),
            this.pieces.some((p) => p.inferred) ? el("li", {}, line("#5a6776", true), "推断,无定位点 Inferred, no fixes") : null)));
      L.DomEvent.disableClickPropagation(box);
      L.DomEvent.disableScrollPropagation(box);
      const control = L.control({ position: narrow ? "bottomleft" : "topright" });
      control.onAdd = () => box;
      control.addTo(this.map);
    }
  }

  gp.trackMap = function (map, data, options) {
    gp.track = new TrackMap(map, data, options);
    return gp.track;
  };
})();
