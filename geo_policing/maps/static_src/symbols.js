/* What units and incidents look like, what they are called, and the canvas they are drawn on. */
(function () {
  "use strict";
  const gp = (window.geoPolicing = window.geoPolicing || {});

  // Chinese first, English beside it.
  gp.words = {
    kind: {
      patrol_car: ["巡逻车", "Patrol car"], officer: ["民警", "Officer"], handheld: ["手持机", "Handheld"],
      taxi: ["出租车", "Taxi"], bus: ["公交车", "Bus"], private_car: ["私家车", "Private car"],
      e_bike: ["电动车", "E-bike"], corrections: ["社区矫正", "Community corrections"], unknown: ["未知", "Unknown"],
    },
    status: {
      available: ["可派", "Available"], assigned: ["出警中", "Assigned"], off_duty: ["休班", "Off duty"],
    },
    state: {
      reported: ["待受理", "Reported"], accepted: ["已受理", "Accepted"], dispatched: ["已派警", "Dispatched"],
      en_route: ["出警途中", "En route"], on_scene: ["已到场", "On scene"], cleared: ["已处置", "Cleared"],
      closed: ["已办结", "Closed"], cancelled: ["已撤销", "Cancelled"], transferred: ["已移交", "Transferred"],
      merged: ["已合并", "Merged"],
    },
    // Kinds of calls differ from force to force; those not listed are shown as their source names them.
    incident: {
      theft: ["盗窃", "Theft"], burglary: ["入室盗窃", "Burglary"], robbery: ["抢劫", "Robbery"],
      fraud: ["诈骗", "Fraud"], fight: ["打架斗殴", "Fight"], domestic_dispute: ["家庭纠纷", "Domestic dispute"],
      traffic_accident: ["交通事故", "Traffic accident"], noise: ["噪音扰民", "Noise"], drunk: ["醉酒滋事", "Drunk"],
      lost_property: ["遗失物品", "Lost property"], missing_person: ["人员走失", "Missing person"],
      suspicious_person: ["可疑人员", "Suspicious person"], rescue: ["群众求助", "Rescue"],
      school_order: ["校园秩序", "School order"], fire: ["火情", "Fire"],
    },
    severity: {
      1: ["特急", "Critical"], 2: ["紧急", "Urgent"], 3: ["一般", "Ordinary"], 4: ["轻微", "Minor"],
    },
  };
  gp.named = (group, key) => (Object.hasOwn(gp.words[group], key) ? gp.words[group][key] : [String(key ?? "—"), ""]);
  gp.word = (group, key) => gp.named(group, key)[0];
  gp.both = (group, key) => gp.named(group, key).join(" ").trim();

  gp.colours = {
    status: { available: "#1565c0", assigned: "#6d3fb8", off_duty: "#75818e" },
    civil: "#56697c",
    severity: { 1: "#c62828", 2: "#e8710a", 3: "#d9a400", 4: "#6b7f8f" },
    selected: "#0b6bcb",
  };
  gp.isPolice = (p) => Boolean(p.status) || ["patrol_car", "officer", "handheld"].includes(p.kind);

  /* An element with text in it. Data never becomes markup: children are nodes or plain text. */
  gp.element = function (tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat()) {
      if (child === null || child === undefined || child === "") continue;
      node.append(child instanceof Node ? child : String(child));
    }
    return node;
  };

  /* The way back to the start page; nothing on a page that stands alone. */
  gp.wayHome = (url) => (url ? gp.element("a", { class: "gp-home", href: url }, "‹ 首页 Start page") : null);

  gp.clock = function (timeZone) {
    const time = new Intl.DateTimeFormat("zh-CN", { timeZone, hour12: false, hour: "2-digit", minute: "2-digit", second: "2-digit" });
    const day = new Intl.DateTimeFormat("zh-CN", { timeZone, hour12: false, month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
    const good = (ms) => Number.isFinite(ms);
    return {
      time: (ms) => (good(ms) ? time.format(ms) : "—"),
      full: (ms) => (good(ms) ? day.format(ms) : "—"),
    };
  };

  gp.age = function (seconds) {
    if (!Number.isFinite(seconds)) return "—";
    const s = Math.max(0, Math.round(seconds));
    if (s < 60) return s + " 秒";
    if (s < 3600) return Math.floor(s / 60) + " 分钟";
    if (s < 86400) return Math.floor(s / 3600) + " 小时 " + Math.floor((s % 3600) / 60) + " 分";
    return Math.floor(s / 86400) + " 天";
  };

  /* Put a small box beside a place, on the side where there is room for it. */
  gp.placeTip = function (tip, at, map) {
    const left = at.x > map.getSize().x / 2;
    const x = Math.round(at.x + (left ? -14 : 14));
    tip.style.transform = `translate(${x}px, ${Math.round(at.y + 14)}px)` + (left ? " translateX(-100%)" : "");
  };

  /* Pictures are drawn once for each look and then copied. */
  const sprites = new Map();
  gp.sprite = function (key, size, draw) {
    const scale = Math.min(3, window.devicePixelRatio || 1);
    const full = key + "@" + scale;
    let picture = sprites.get(full);
    if (!picture) {
      picture = document.createElement("canvas");
      picture.width = picture.height = Math.ceil(size * scale);
      const ctx = picture.getContext("2d");
      ctx.scale(scale, scale);
      ctx.translate(size / 2, size / 2);
      draw(ctx);
      picture.size = size;
      sprites.set(full, picture);
    }
    return picture;
  };

  function carGlyph(ctx) {
    ctx.beginPath();
    ctx.moveTo(-5.2, 2.6);
    ctx.lineTo(-5.2, 0.2);
    ctx.quadraticCurveTo(-5, -0.6, -3.9, -0.8);
    ctx.lineTo(-2.6, -3.2);
    ctx.lineTo(2.6, -3.2);
    ctx.lineTo(3.9, -0.8);
    ctx.quadraticCurveTo(5, -0.6, 5.2, 0.2);
    ctx.lineTo(5.2, 2.6);
    ctx.closePath();
    ctx.fill();
    for (const x of [-3, 3]) {
      ctx.beginPath();
      ctx.arc(x, 2.8, 1.5, 0, 7);
      ctx.fill();
    }
  }

  function personGlyph(ctx) {
    ctx.beginPath();
    ctx.arc(0, -2.6, 2.1, 0, 7);
    ctx.fill();
    ctx.beginPath();
    ctx.moveTo(-4, 4.4);
    ctx.quadraticCurveTo(-4, 0.2, 0, 0.2);
    ctx.quadraticCurveTo(4, 0.2, 4, 4.4);
    ctx.closePath();
    ctx.fill();
  }

  function radioGlyph(ctx) {
    ctx.fillRect(-2.2, -2.4, 4.4, 7);
    ctx.fillRect(0.8, -5.4, 1.3, 3.4);
  }

  function outline(ctx, shape, r) {
    ctx.beginPath();
    if (shape === "square") ctx.roundRect(-r, -r, 2 * r, 2 * r, 4);
    else if (shape === "diamond") {
      ctx.moveTo(0, -r * 1.25);
      ctx.lineTo(r * 1.25, 0);
      ctx.lineTo(0, r * 1.25);
      ctx.lineTo(-r * 1.25, 0);
      ctx.closePath();
    } else if (shape === "triangle") {
      ctx.moveTo(0, -r * 1.2);
      ctx.lineTo(r * 1.15, r * 0.85);
      ctx.lineTo(-r * 1.15, r * 0.85);
      ctx.closePath();
    } else if (shape === "box") ctx.rect(-r, -r, 2 * r, 2 * r);
    else ctx.arc(0, 0, r, 0, 7);
  }

  const CIVIL_SHAPE = { taxi: "diamond", bus: "box", e_bike: "triangle" };

  gp.unitSprite = function (p) {
    if (!gp.isPolice(p)) {
      return gp.sprite("civil:" + p.kind, 16, (ctx) => {
        outline(ctx, CIVIL_SHAPE[p.kind] || "circle", 3.6);
        ctx.fillStyle = gp.colours.civil;
        ctx.strokeStyle = "#fff";
        ctx.lineWidth = 2.4;
        ctx.stroke();
        ctx.fill();
      });
    }
    const colour = gp.colours.status[p.status] || gp.colours.status.off_duty;
    return gp.sprite("unit:" + p.kind + ":" + p.status, 32, (ctx) => {
      const car = p.kind === "patrol_car";
      ctx.shadowColor = "rgba(15,25,40,.45)";
      ctx.shadowBlur = 3;
      ctx.shadowOffsetY = 1;
      outline(ctx, car ? "square" : "circle", car ? 9.4 : 9);
      ctx.fillStyle = "#fff";
      ctx.fill();
      ctx.shadowColor = "transparent";
      outline(ctx, car ? "square" : "circle", car ? 7.9 : 7.6);
      ctx.fillStyle = colour;
      ctx.fill();
      ctx.fillStyle = "#fff";
      if (car) carGlyph(ctx);
      else if (p.kind === "handheld") radioGlyph(ctx);
      else personGlyph(ctx);
    });
  };

  gp.courseSprite = function (p) {
    const police = gp.isPolice(p);
    const colour = police ? gp.colours.status[p.status] || gp.colours.status.off_duty : gp.colours.civil;
    return gp.sprite("course:" + colour + p.kind, 40, (ctx) => {
      const r = p.kind === "patrol_car" ? 11.6 : police ? 10.2 : 4.6;
      const w = police ? 5 : 3;
      ctx.beginPath();
      ctx.moveTo(0, -r - w * 1.25);
      ctx.lineTo(w, -r);
      ctx.lineTo(-w, -r);
      ctx.closePath();
      ctx.fillStyle = colour;
      ctx.strokeStyle = "#fff";
      ctx.lineWidth = 1.6;
      ctx.lineJoin = "round";
      ctx.stroke();
      ctx.fill();
    });
  };

  /* A drop whose tip is the place. Waiting ones are full, those being handled have a white heart, done ones are hollow. */
  gp.incidentSprite = function (p) {
    const colour = gp.colours.severity[p.severity] || gp.colours.severity[3];
    const stage = ["reported", "accepted"].includes(p.state) ? "waiting"
      : ["dispatched", "en_route", "on_scene"].includes(p.state) ? "handled" : "done";
    return gp.sprite("incident:" + p.severity + stage, 60, (ctx) => {
      const r = p.severity <= 2 ? 10 : 8.5;
      const up = -r - 6.5;
      ctx.shadowColor = "rgba(15,25,40,.45)";
      ctx.shadowBlur = 3;
      ctx.shadowOffsetY = 1;
      ctx.beginPath();
      ctx.arc(0, up, r, Math.PI * 0.8, Math.PI * 0.2);
      ctx.quadraticCurveTo(r * 0.45, -4, 0, 0);
      ctx.quadraticCurveTo(-r * 0.45, -4, Math.cos(Math.PI * 0.8) * r, up + Math.sin(Math.PI * 0.8) * r);
      ctx.closePath();
      ctx.fillStyle = stage === "done" ? "#fff" : colour;
      ctx.fill();
      ctx.shadowColor = "transparent";
      ctx.lineWidth = stage === "done" ? 2.2 : 1.6;
      ctx.strokeStyle = stage === "done" ? colour : "#fff";
      ctx.stroke();
      if (stage === "handled") {
        ctx.beginPath();
        ctx.arc(0, up, r * 0.45, 0, 7);
        ctx.fillStyle = "#fff";
        ctx.fill();
      } else {
        ctx.fillStyle = stage === "done" ? colour : "#fff";
        ctx.font = "700 " + Math.round(r * 1.5) + "px sans-serif";
        ctx.textAlign = "center";
        ctx.textBaseline = "middle";
        ctx.fillText(stage === "done" ? "✓" : "!", 0, up + 0.5);
      }
    });
  };

  /* A canvas over the map, somewhat larger than it, redrawn when asked and when the view has changed. */
  gp.SymbolLayer = L.Layer.extend({
    initialize: function (paint) {
      this._paint = paint;
    },
    onAdd: function (map) {
      const pane = map.getPane("gp-symbols") || map.createPane("gp-symbols");
      pane.style.zIndex = 620;
      pane.style.pointerEvents = "none";
      this._canvas = L.DomUtil.create("canvas", "gp-symbols leaflet-zoom-animated", pane);
      this._canvas.setAttribute("role", "img");
      this._canvas.setAttribute("aria-label", "警力与警情位置,列表见侧栏 Positions; the lists are in the panel");
      this._ctx = this._canvas.getContext("2d");
      this._reset();
    },
    onRemove: function () {
      this._canvas.remove();
    },
    getEvents: function () {
      return { viewreset: this._reset, zoomend: this._reset, moveend: this._reset, resize: this._reset, move: this._follow, zoomanim: this._zoom };
    },
    redraw: function () {
      if (this._frame) return;
      this._frame = requestAnimationFrame(() => {
        this._frame = 0;
        if (this._map && this._draw()) this.redraw();
      });
    },
    _reset: function () {
      const map = this._map;
      const size = map.getSize();
      const scale = window.devicePixelRatio || 1;
      this._pad = size.multiplyBy(0.2).round();
      this._origin = map.containerPointToLayerPoint(this._pad.multiplyBy(-1)).round();
      this._size = size.add(this._pad.multiplyBy(2));
      const width = Math.round(this._size.x * scale);
      const height = Math.round(this._size.y * scale);
      if (this._canvas.width !== width || this._canvas.height !== height) {
        this._canvas.width = width;
        this._canvas.height = height;
        this._canvas.style.width = this._size.x + "px";
        this._canvas.style.height = this._size.y + "px";
      }
      this._scale = scale;
      this._corner = map.layerPointToLatLng(this._origin);
      L.DomUtil.setTransform(this._canvas, this._origin, 1);
      if (this._draw()) this.redraw();
    },
    _follow: function () {
      const now = this._map.containerPointToLayerPoint(this._pad.multiplyBy(-1));
      const away = now.subtract(this._origin);
      if (Math.abs(away.x) > this._pad.x * 0.7 || Math.abs(away.y) > this._pad.y * 0.7) this._reset();
    },
    _zoom: function (event) {
      const map = this._map;
      const offset = map._latLngToNewLayerPoint(this._corner, event.zoom, event.center);
      L.DomUtil.setTransform(this._canvas, offset, map.getZoomScale(event.zoom));
    },
    _draw: function () {
      const ctx = this._ctx;
      ctx.setTransform(this._scale, 0, 0, this._scale, 0, 0);
      ctx.clearRect(0, 0, this._size.x, this._size.y);
      const map = this._map;
      const origin = this._origin;
      const point = (lat, lon) => map.latLngToLayerPoint([lat, lon])._subtract(origin);
      return this._paint(ctx, point, this._size);
    },
  });
})();
