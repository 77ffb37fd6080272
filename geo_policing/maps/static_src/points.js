/* Many points in colours by category, each with its facts. */
(function () {
  "use strict";
  const gp = (window.geoPolicing = window.geoPolicing || {});
  const el = gp.element;

  class PointMap {
    constructor(map, data, options) {
      this.map = map;
      this.data = data;
      this.options = options;
      this.clock = gp.clock(options.timeZone);
      this.hidden = new Set();
      this.order = [...data.lon.keys()];
      // The first categories matter most and are drawn last.
      this.order.sort((a, b) => data.category[b] - data.category[a]);
      this.layer = new gp.SymbolLayer((...given) => this.paint(...given)).addTo(map);
      this.tip = el("div", { class: "gp-tip", hidden: true });
      map.getContainer().append(this.tip);
      map.on("mousemove", (event) => this.hover(event.containerPoint));
      map.on("click", (event) => this.open(event.containerPoint));
      this.legend();
    }

    paint(ctx, point, size) {
      const { lon, lat, category, categories } = this.data;
      const zoom = this.map.getZoom();
      const crowd = lon.length > 5000;
      const r = Math.max(crowd ? 1.6 : 2.6, Math.min(6.5, (zoom - (crowd ? 10.5 : 8)) * 1.05));
      if (this.options.lines) this.lines(ctx, point);
      // From afar a crowd has no rims, so that many points in one place are darker than few.
      const dense = crowd && r < 3;
      ctx.lineWidth = 1.3;
      ctx.strokeStyle = "#ffffff";
      ctx.globalAlpha = dense ? 0.35 : 0.92;
      for (const i of this.order) {
        if (this.hidden.has(category[i])) continue;
        const at = point(lat[i], lon[i]);
        if (at.x < -9 || at.y < -9 || at.x > size.x + 9 || at.y > size.y + 9) continue;
        ctx.fillStyle = categories[category[i]].colour;
        ctx.beginPath();
        ctx.arc(at.x, at.y, r, 0, 7);
        ctx.fill();
        if (!dense) ctx.stroke();
      }
      ctx.globalAlpha = 1;
      if (this.chosen !== undefined) {
        const at = point(lat[this.chosen], lon[this.chosen]);
        ctx.beginPath();
        ctx.arc(at.x, at.y, r + 4, 0, 7);
        ctx.lineWidth = 3;
        ctx.strokeStyle = gp.colours.selected;
        ctx.stroke();
      }
      return false;
    }

    /* Points of one category follow each other in the order of the data. */
    lines(ctx, point) {
      const { lon, lat, category, categories } = this.data;
      const last = new Map();
      ctx.lineWidth = 2;
      ctx.globalAlpha = 0.45;
      for (let i = 0; i < lon.length; i++) {
        if (this.hidden.has(category[i])) continue;
        const at = point(lat[i], lon[i]);
        const before = last.get(category[i]);
        if (before) {
          ctx.beginPath();
          ctx.moveTo(before.x, before.y);
          ctx.lineTo(at.x, at.y);
          ctx.strokeStyle = categories[category[i]].colour;
          ctx.stroke();
        }
        last.set(category[i], at);
      }
      ctx.globalAlpha = 1;
    }

    nearest(at) {
      const { lon, lat, category } = this.data;
      const reach = 10;
      const a = this.map.containerPointToLatLng([at.x - reach, at.y + reach]);
      const b = this.map.containerPointToLatLng([at.x + reach, at.y - reach]);
      let best;
      let least = reach;
      for (let i = 0; i < lon.length; i++) {
        if (lon[i] < a.lng || lon[i] > b.lng || lat[i] < a.lat || lat[i] > b.lat || this.hidden.has(category[i])) continue;
        const p = this.map.latLngToContainerPoint([lat[i], lon[i]]);
        const away = Math.hypot(p.x - at.x, p.y - at.y);
        if (away <= least) {
          least = away;
          best = i;
        }
      }
      return best;
    }

    facts(i) {
      const shown = (column, value) =>
        column.time ? this.clock.full(value) : column.words ? gp.both(column.words, value) : String(value);
      return this.data.columns
        .map((column) => [column.label, column.values[i] === null ? "" : shown(column, column.values[i])])
        .filter(([, value]) => value !== "");
    }

    hover(at) {
      if (this.hovering) return;
      this.hovering = requestAnimationFrame(() => {
        this.hovering = 0;
        const i = this.nearest(at);
        this.tip.hidden = i === undefined;
        this.map.getContainer().style.cursor = i === undefined ? "" : "pointer";
        if (i === undefined) return;
        this.tip.textContent = this.facts(i).slice(0, 4).map(([, value]) => value).join(" · ");
        gp.placeTip(this.tip, at, this.map);
      });
    }

    open(at) {
      const i = this.nearest(at);
      this.tip.hidden = true;
      this.map.closePopup();
      this.chosen = i;
      this.layer.redraw();
      if (i === undefined) return;
      const list = el("dl", { class: "gp-facts" }, this.facts(i).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
      L.popup({ maxWidth: 320, offset: [0, -4] }).setLatLng([this.data.lat[i], this.data.lon[i]]).setContent(list).openOn(this.map);
      this.map.once("popupclose", () => {
        this.chosen = undefined;
        this.layer.redraw();
      });
    }

    legend() {
      const narrow = window.innerWidth <= 640;
      const items = this.data.categories.map((category, k) => el("li", {}, el("label", { class: "gp-pick" },
        el("input", {
          type: "checkbox", checked: true,
          onchange: (event) => {
            if (event.target.checked) this.hidden.delete(k);
            else this.hidden.add(k);
            this.layer.redraw();
          },
        }),
        el("span", { class: "gp-swatch", style: "background:" + category.colour, "aria-hidden": "true" }),
        el("span", { class: "gp-name" }, this.options.words ? gp.both(this.options.words, category.label) : category.label),
        el("span", { class: "gp-number" }, category.count.toLocaleString("en")))));
      const box = el("details", { class: "gp-legend gp-points", open: !narrow },
        el("summary", {}, el("h2", {}, this.options.title + " · " + this.data.lon.length.toLocaleString("en"))),
        this.options.by ? el("p", {}, this.options.by) : null, el("ul", {}, items));
      L.DomEvent.disableClickPropagation(box);
      L.DomEvent.disableScrollPropagation(box);
      const control = L.control({ position: narrow ? "bottomleft" : "topright" });
      control.onAdd = () => box;
      control.addTo(this.map);
    }
  }

  gp.pointMap = function (map, data, options) {
    gp.points = new PointMap(map, data, options);
    return gp.points;
  };
})();
