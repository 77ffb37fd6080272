/* The live map: a stream of events becomes symbols that move. */
(function () {
  "use strict";
  const gp = (window.geoPolicing = window.geoPolicing || {});

  const SLIDE_MS = 450;
  const OLD_S = 60;
  const VERY_OLD_S = 300;
  const NEW_MS = 12000;
  const CROWD = 3000; // incidents in sight; more are drawn as dots, but the gravest
  const STILL = window.matchMedia && window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  const inside = (at, size, margin) =>
    at.x > -margin && at.y > -margin && at.x < size.x + margin && at.y < size.y + margin;

  const lastReceived = (features) =>
    features.reduce((last, f) => Math.max(last, Date.parse(f.properties.received) || -Infinity), -Infinity);

  /* Units and incidents as they are now. Differences change what is there; a snapshot replaces it. */
  class Picture {
    constructor() {
      this.units = new Map();
      this.incidents = new Map();
      this.shift = 0; // what the server's clock is ahead of ours, ms
      this.received = -Infinity; // when it received the last it told us of
    }

    now() {
      return Date.now() + this.shift;
    }

    snapshot(data) {
      this.received = lastReceived(data.units.features);
      const before = new Set(this.units.keys());
      for (const feature of data.units.features) {
        before.delete(String(feature.id ?? feature.properties.device));
        this.move(feature);
      }
      for (const gone of before) this.units.delete(gone);
      this.incidents.clear();
      for (const feature of data.incidents.features) this.report(feature, 0);
    }

    move(feature) {
      const id = String(feature.id ?? feature.properties.device);
      const [lon, lat] = feature.geometry.coordinates;
      const unit = this.units.get(id);
      const time = Date.parse(feature.properties.time);
      if (!unit) {
        this.units.set(id, { id, lon, lat, lon0: lon, lat0: lat, since: 0, time, p: feature.properties });
        return;
      }
      if (time === unit.time && lon === unit.lon && lat === unit.lat) {
        // Told again because something else about it is known: it does not move.
        unit.p = feature.properties;
        return;
      }
      const here = gp.between(unit, performance.now());
      const far = Math.abs(lon - here.lon) + Math.abs(lat - here.lat) > 0.01;
      unit.lon0 = far || STILL ? lon : here.lon;
      unit.lat0 = far || STILL ? lat : here.lat;
      unit.since = performance.now();
      Object.assign(unit, { lon, lat, time, p: feature.properties });
    }

    /* Where on the roads a unit is, told after where it was received. */
    place(device, matched) {
      const unit = this.units.get(String(device));
      if (unit) unit.p = { ...unit.p, matched };
    }

    /* What is told again was received long ago and says nothing of the server's clock. */
    heard(features) {
      const received = lastReceived(features);
      if (received <= this.received) return;
      this.received = received;
      this.shift = received - Date.now();
    }

    report(feature, since) {
      const id = String(feature.id);
      const p = feature.properties;
      if (!p.may_follow || p.may_follow.length === 0) {
        this.incidents.delete(id);
        return null;
      }
      const [lon, lat] = feature.geometry.coordinates;
      const known = this.incidents.get(id);
      const incident = { id, lon, lat, p, time: Date.parse(p.occurred), since: known ? known.since : since };
      this.incidents.set(id, incident);
      return incident;
    }
  }

  gp.between = function (unit, now) {
    const t = unit.since ? Math.min(1, (now - unit.since) / SLIDE_MS) : 1;
    const e = t * (2 - t);
    return { lon: unit.lon0 + (unit.lon - unit.lon0) * e, lat: unit.lat0 + (unit.lat - unit.lat0) * e, moving: t < 1 };
  };

  class LiveMap {
    constructor(map, options) {
      this.map = map;
      this.options = options;
      this.picture = new Picture();
      this.clock = gp.clock(options.timeZone);
      this.selected = null; // {type: "unit" | "incident", id}
      this.following = null;
      this.shown = { police: true, civil: true, incidents: true };
      // Units move all the time, incidents seldom: a canvas each, incidents above.
      this.layer = new gp.SymbolLayer((...given) => this.paintUnits(...given)).addTo(map);
      this.pins = new gp.SymbolLayer((...given) => this.paintIncidents(...given)).addTo(map);
      this.panel = new gp.LivePanel(this);
      map.on("click", (event) => this.click(event.containerPoint));
      map.on("mousemove", (event) => this.hover(event.containerPoint));
      map.on("dragstart", () => this.follow(null));
      map.on("zoomend", () => this.keepInSight());
      new ResizeObserver(() => map.invalidateSize({ animate: false })).observe(map.getContainer());
      this.connect();
      setInterval(() => {
        this.panel.tick();
        this.layer.redraw();
      }, 1000);
    }

    // The stream. The browser itself comes back with the id of the last event it had.
    connect() {
      this.source = new EventSource(this.options.liveUrl);
      this.source.onopen = () => {
        this.retries = 0;
        this.panel.connection("live");
      };
      this.source.onerror = () => this.lost();
      const take = (kind, use) =>
        this.source.addEventListener(kind, (event) => {
          this.lastEvent = Date.now();
          use(JSON.parse(event.data));
          this.panel.connection("live");
          this.layer.redraw();
        });
      take("snapshot", (data) => {
        this.picture.snapshot(data);
        this.panel.refresh();
        this.pins.redraw();
      });
      take("units", (data) => {
        this.picture.heard(data.features);
        for (const feature of data.features) this.picture.move(feature);
        this.panel.unitsMoved();
        this.keepInSight();
      });
      take("matched", (data) => {
        for (const { device, matched } of data.matched) this.picture.place(device, matched);
        this.panel.unitsMoved();
      });
      take("incident", (feature) => {
        this.picture.report(feature, performance.now());
        this.panel.refresh();
        this.pins.redraw();
      });
    }

    async lost() {
      this.panel.connection("lost");
      if (this.source.readyState !== EventSource.CLOSED) return;
      // The server refused: perhaps the session has ended. The browser gives up then; we ask again.
      this.retries = (this.retries || 0) + 1;
      const stop = new AbortController();
      try {
        const answer = await fetch(this.options.liveUrl, { signal: stop.signal, headers: { accept: "text/event-stream" } });
        if (answer.status === 401 || answer.status === 403) this.panel.connection("signed-out");
      } catch (_) {
        // Out of reach, as the panel says already.
      } finally {
        stop.abort();
      }
      setTimeout(() => this.connect(), Math.min(30000, 2000 * this.retries));
    }

    visible(unit) {
      return gp.isPolice(unit.p) ? this.shown.police : this.shown.civil;
    }

    /* From afar symbols are smaller, so that they hide less of each other. */
    stamper(ctx) {
      const magnify = this.map.getZoom() < 12 ? 0.72 : 1;
      return (picture, at) => {
        const side = picture.size * magnify;
        ctx.drawImage(picture, at.x - side / 2, at.y - side / 2, side, side);
      };
    }

    paintUnits(ctx, point, size) {
      const now = performance.now();
      const clock = this.picture.now();
      const stamp = this.stamper(ctx);
      const names = this.map.getZoom() >= 14;
      let moving = false;
      const police = [];
      const drawUnit = (unit, at) => {
        const age = (clock - unit.time) / 1000;
        ctx.globalAlpha = age > VERY_OLD_S ? 0.32 : age > OLD_S ? 0.6 : 1;
        if (unit.p.speed_mps > 0.8 && Number.isFinite(unit.p.course_deg)) {
          const arrow = gp.courseSprite(unit.p);
          ctx.save();
          ctx.translate(at.x, at.y);
          ctx.rotate((unit.p.course_deg * Math.PI) / 180);
          stamp(arrow, { x: 0, y: 0 });
          ctx.restore();
        }
        stamp(gp.unitSprite(unit.p), at);
        ctx.globalAlpha = 1;
      };
      for (const unit of this.picture.units.values()) {
        if (!this.visible(unit)) continue;
        const here = gp.between(unit, now);
        moving = moving || here.moving;
        const at = point(here.lat, here.lon);
        if (!inside(at, size, 30)) continue;
        if (gp.isPolice(unit.p)) police.push([unit, at]);
        else drawUnit(unit, at);
      }
      for (const [unit, at] of police) drawUnit(unit, at);
      for (const [unit, at] of police) {
        if (names || this.isSelected("unit", unit.id)) {
          this.label(ctx, at, unit.p.call_sign || unit.p.name, this.isSelected("unit", unit.id) ? 21 : 14);
        }
      }
      if (this.selected?.type === "unit") this.ring(ctx, point, now);
      return moving;
    }

    paintIncidents(ctx, point, size) {
      if (!this.shown.incidents) return false;
      const now = performance.now();
      const stamp = this.stamper(ctx);
      const seen = [];
      let pulsing = false;
      for (const incident of this.picture.incidents.values()) {
        const at = point(incident.lat, incident.lon);
        if (inside(at, size, 40)) seen.push([incident, at]);
      }
      const crowd = seen.length > CROWD;
      for (const [incident, at] of seen) {
        const colour = gp.colours.severity[incident.p.severity] || gp.colours.severity[3];
        if (incident.since && now - incident.since < NEW_MS && !STILL) {
          pulsing = true;
          const wave = ((now - incident.since) % 1500) / 1500;
          ctx.beginPath();
          ctx.arc(at.x, at.y - 16, 10 + wave * 26, 0, 7);
          ctx.strokeStyle = colour;
          ctx.globalAlpha = 1 - wave;
          ctx.lineWidth = 3;
          ctx.stroke();
          ctx.globalAlpha = 1;
        }
        if (crowd && incident.p.severity > 1 && !this.isSelected("incident", incident.id)) {
          ctx.fillStyle = colour;
          ctx.fillRect(at.x - 2, at.y - 2, 4, 4);
        } else stamp(gp.incidentSprite(incident.p), at);
      }
      if (this.selected?.type === "incident") this.ring(ctx, point, now);
      return pulsing;
    }

    label(ctx, at, text, right) {
      ctx.font = "600 12px " + getComputedStyle(document.documentElement).getPropertyValue("--gp-font");
      ctx.textBaseline = "middle";
      ctx.lineWidth = 3.5;
      ctx.lineJoin = "round";
      ctx.strokeStyle = "rgba(255,255,255,.92)";
      ctx.fillStyle = "#1d2733";
      ctx.strokeText(text, at.x + right, at.y + 1);
      ctx.fillText(text, at.x + right, at.y + 1);
    }

    ring(ctx, point, now) {
      const thing = this.chosen();
      if (!thing) return;
      const unit = this.selected.type === "unit";
      const here = unit ? gp.between(thing, now) : thing;
      const at = point(here.lat, here.lon);
      ctx.beginPath();
      ctx.arc(at.x, at.y - (unit ? 0 : 16), unit ? 17 : 19, 0, 7);
      ctx.lineWidth = 3;
      ctx.strokeStyle = gp.colours.selected;
      ctx.stroke();
      if (unit && thing.p.accuracy_m > 0) {
        const edge = point(here.lat + thing.p.accuracy_m / 111195, here.lon);
        ctx.beginPath();
        ctx.arc(at.x, at.y, Math.abs(edge.y - at.y), 0, 7);
        ctx.fillStyle = "rgba(11,107,203,.10)";
        ctx.fill();
      }
    }

    isSelected(type, id) {
      return this.selected !== null && this.selected.type === type && this.selected.id === id;
    }

    chosen() {
      if (!this.selected) return null;
      const all = this.selected.type === "unit" ? this.picture.units : this.picture.incidents;
      return all.get(this.selected.id) || null;
    }

    /* Where a unit or incident is drawn, in pixels of the map; null when there is none. */
    where(type, id) {
      const thing = (type === "unit" ? this.picture.units : this.picture.incidents).get(id);
      if (!thing) return null;
      const here = type === "unit" ? gp.between(thing, performance.now()) : thing;
      return this.map.latLngToContainerPoint([here.lat, here.lon]);
    }

    nearest(at) {
      let best = null;
      const consider = (type, thing, x, y, reach, bonus) => {
        const distance = Math.hypot(x - at.x, y - at.y);
        if (distance <= reach && (!best || distance - bonus < best.score)) best = { type, id: thing.id, thing, score: distance - bonus };
      };
      const now = performance.now();
      const project = (lat, lon) => this.map.latLngToContainerPoint([lat, lon]);
      if (this.shown.incidents) {
        for (const incident of this.picture.incidents.values()) {
          const p = project(incident.lat, incident.lon);
          consider("incident", incident, p.x, p.y - 15, 15, 8);
        }
      }
      for (const unit of this.picture.units.values()) {
        if (!this.visible(unit)) continue;
        const here = gp.between(unit, now);
        const p = project(here.lat, here.lon);
        const police = gp.isPolice(unit.p);
        consider("unit", unit, p.x, p.y, police ? 15 : 9, police ? 6 : 0);
      }
      return best;
    }

    click(at) {
      const hit = this.nearest(at);
      if (hit) this.select(hit.type, hit.id, false);
      else this.select(null);
    }

    hover(at) {
      if (this.hovering) return;
      this.hovering = requestAnimationFrame(() => {
        this.hovering = 0;
        const hit = this.nearest(at);
        this.map.getContainer().style.cursor = hit ? "pointer" : "";
        this.panel.tooltip(hit, at);
      });
    }

    select(type, id, bring) {
      this.selected = type ? { type, id } : null;
      if (!type || this.following !== id) this.follow(null);
      const thing = this.chosen();
      if (thing && bring) this.map.setView([thing.lat, thing.lon], Math.max(this.map.getZoom(), 15));
      this.panel.details();
      this.redraw();
    }

    redraw() {
      this.layer.redraw();
      this.pins.redraw();
    }

    follow(id) {
      if (this.following === id) return;
      this.following = id;
      this.keepInSight();
      this.panel.details();
    }

    keepInSight() {
      const unit = this.following && this.picture.units.get(this.following);
      if (unit) this.map.panTo([unit.lat, unit.lon], { animate: !STILL, duration: 0.4 });
    }
  }

  gp.liveMap = function (map, options) {
    gp.live = new LiveMap(map, options);
    return gp.live;
  };
})();
