/* The panel beside the live map: connection, counts, open incidents, units, and what is chosen. */
(function () {
  "use strict";
  const gp = (window.geoPolicing = window.geoPolicing || {});
  const el = gp.element;
  const LISTED = 200;
  const TRACK_MS = 30 * 60 * 1000;

  const two = (zh, en) => [zh, en ? el("span", { class: "gp-en", lang: "en" }, en) : null];

  gp.LivePanel = class {
    constructor(live) {
      this.live = live;
      this.build();
      this.legend();
    }

    build() {
      this.time = el("time", { class: "gp-clock" });
      this.link = el("p", { class: "gp-link", role: "status", "aria-live": "polite" });
      this.fold = el("button", { type: "button", class: "gp-fold", "aria-expanded": "true", "aria-controls": "gp-body", onclick: () => this.toggle() }, "收起");
      this.states = el("ul", { class: "gp-states", "aria-label": "各状态警情数 Incidents by state" });
      this.list = el("ol", { class: "gp-list", "aria-label": "未结警情 Open incidents" });
      this.more = el("p", { class: "gp-more", hidden: true });
      this.duty = el("ul", { class: "gp-states", "aria-label": "各状态警力数 Units by status" });
      this.search = el("input", {
        type: "search", class: "gp-search", placeholder: "呼号、名称或设备 Call sign, name, device", "aria-label": "查找警力 Find a unit",
        oninput: () => this.look(), autocomplete: "off",
      });
      this.results = el("ol", { class: "gp-list gp-found", "aria-label": "查找结果 Units found" });
      this.card = el("section", { class: "gp-card", "aria-label": "详情 Details", hidden: true, tabindex: "-1" });
      this.count = el("span", { class: "gp-count" }, "0");
      this.total = el("span", { class: "gp-count" }, "0");
      this.node = el("aside", { class: "gp-panel", "aria-label": "警情与警力 Incidents and units" },
        el("header", {}, gp.wayHome(this.live.options.homeUrl), el("h1", {}, two("城市态势", "City live")), this.time, this.link, this.fold),
        el("div", { class: "gp-body", id: "gp-body" },
          this.card,
          el("section", { class: "gp-incidents" }, el("h2", {}, two("未结警情", "Open incidents"), this.count), this.states, this.list, this.more),
          el("section", { class: "gp-units" }, el("h2", {}, two("警力与车辆", "Units"), this.total), this.duty, this.search, this.results),
        ),
      );
      document.body.append(this.node);
      this.tip = el("div", { class: "gp-tip", hidden: true });
      this.live.map.getContainer().append(this.tip);
      L.DomEvent.disableClickPropagation(this.node);
      this.list.addEventListener("click", (event) => this.chooseFrom(event, "incident"));
      this.results.addEventListener("click", (event) => this.chooseFrom(event, "unit"));
      document.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && this.live.selected) this.live.select(null);
      });
      this.connection("connecting");
    }

    toggle() {
      const folded = document.body.classList.toggle("gp-folded");
      this.fold.setAttribute("aria-expanded", String(!folded));
      this.fold.textContent = folded ? "展开" : "收起";
    }

    chooseFrom(event, type) {
      const button = event.target.closest("button[data-id]");
      if (button) this.live.select(type, button.dataset.id, true);
    }

    connection(state) {
      if (state === "lost" && this.state === "signed-out") return;
      this.state = state;
      const last = this.live.lastEvent ? this.live.clock.time(this.live.lastEvent) : "—";
      const says = {
        connecting: ["正在连接", "Connecting"],
        live: ["实时", "Live"],
        lost: ["连接中断,正在重连", "Reconnecting"],
        "signed-out": ["登录已失效", "Signed out"],
      }[state];
      if (this.said !== state) {
        this.link.replaceChildren(el("span", { class: "gp-dot", "aria-hidden": "true" }), el("span", { class: "gp-says" }, two(...says)), (this.lastNode = el("span", { class: "gp-last" })));
        if (state === "signed-out") this.link.append(el("a", { href: "/sign-in?next=" + encodeURI(location.pathname) }, "重新登录 Sign in"));
        this.link.dataset.state = state;
        this.said = state;
      }
      // The time changes every second; it is not read out.
      this.lastNode.setAttribute("aria-hidden", "true");
      this.lastNode.textContent = "最后消息 " + last;
    }

    tick() {
      const now = this.live.picture.now();
      this.time.textContent = this.live.clock.full(now);
      for (const node of this.node.querySelectorAll("[data-since]")) {
        node.textContent = gp.age((now - Number(node.dataset.since)) / 1000);
      }
    }

    /* After incidents have changed, or everything. */
    refresh() {
      const incidents = [...this.live.picture.incidents.values()];
      incidents.sort((a, b) => a.p.severity - b.p.severity || b.time - a.time);
      this.count.textContent = incidents.length;
      this.chips(this.states, "state", incidents.map((i) => i.p.state));
      const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.id : null;
      this.list.replaceChildren(...incidents.slice(0, LISTED).map((incident) => this.incidentItem(incident)));
      if (!incidents.length) this.list.append(el("li", { class: "gp-none" }, two("暂无未结警情", "None open")));
      this.more.hidden = incidents.length <= LISTED;
      this.more.textContent = "另有 " + (incidents.length - LISTED) + " 起在地图上 more on the map";
      if (focused) this.list.querySelector(`button[data-id="${CSS.escape(focused)}"]`)?.focus();
      this.unitsMoved();
      this.tick();
    }

    incidentItem(incident) {
      const p = incident.p;
      const level = Object.hasOwn(gp.words.severity, p.severity) ? p.severity : 3;
      const chosen = this.live.isSelected("incident", incident.id);
      return el("li", {},
        el("button", { type: "button", "data-id": incident.id, "data-severity": level, "aria-pressed": String(chosen) },
          el("span", { class: "gp-row" },
            el("strong", {}, two(...gp.named("incident", p.kind))),
            el("span", { class: "gp-age", "data-since": incident.time }, "")),
          el("span", { class: "gp-row gp-sub" }, el("span", { class: "gp-where" }, p.address || p.summary || incident.id)),
          el("span", { class: "gp-row gp-sub" },
            el("span", { class: "gp-grade" }, gp.word("severity", level)),
            el("span", { class: "gp-state", "data-state": p.state }, gp.both("state", p.state)),
            p.units && p.units.length ? el("span", { class: "gp-sent" }, "警力 " + p.units.join("、")) : null)));
    }

    /* Chips are kept and only their numbers change. */
    chips(list, group, values) {
      const counts = {};
      for (const value of values) if (value) counts[value] = (counts[value] || 0) + 1;
      for (const key of Object.keys(gp.words[group])) {
        let chip = list.querySelector(`[data-key="${key}"]`);
        if (!counts[key]) {
          chip?.remove();
          continue;
        }
        if (!chip) {
          chip = el("li", { "data-key": key }, el("b", {}), el("span", {}, gp.word(group, key), el("span", { class: "gp-en", lang: "en" }, gp.words[group][key][1])));
          const order = Object.keys(gp.words[group]);
          const next = [...list.children].find((c) => order.indexOf(c.dataset.key) > order.indexOf(key));
          list.insertBefore(chip, next || null);
        }
        chip.firstChild.textContent = counts[key];
      }
    }

    unitsMoved() {
      const units = [...this.live.picture.units.values()];
      this.total.textContent = units.length;
      this.chips(this.duty, "status", units.map((u) => u.p.status));
      if (this.live.selected?.type === "unit") this.details();
      if (this.live.selected && !this.live.chosen()) this.live.select(null);
      if (this.search.value) this.found();
    }

    /* With the details open the hits may lie below the edge; long lists must not push the search out. */
    look() {
      this.found();
      this.results.scrollIntoView({ block: "nearest" });
      this.search.scrollIntoView({ block: "nearest" });
    }

    found() {
      const wanted = this.search.value.trim().toLowerCase();
      const units = !wanted ? [] : [...this.live.picture.units.values()].filter((unit) =>
        [unit.p.call_sign, unit.p.name, unit.id].some((text) => text && String(text).toLowerCase().includes(wanted)));
      units.sort((a, b) => gp.isPolice(b.p) - gp.isPolice(a.p) || a.id.localeCompare(b.id));
      const key = units.slice(0, 30).map((u) => u.id).join("\n") + wanted;
      if (key === this.foundKey) return;
      this.foundKey = key;
      this.results.replaceChildren(...units.slice(0, 30).map((unit) =>
        el("li", {}, el("button", { type: "button", "data-id": unit.id },
          el("span", { class: "gp-row" }, el("strong", {}, unit.p.call_sign || unit.p.name), el("span", { class: "gp-age" }, gp.word("kind", unit.p.kind)))))));
      if (wanted && !units.length) this.results.append(el("li", { class: "gp-none" }, two("没有找到", "None found")));
    }

    details() {
      const thing = this.live.chosen();
      for (const button of this.list.querySelectorAll("button[data-id]")) {
        button.setAttribute("aria-pressed", String(this.live.isSelected("incident", button.dataset.id)));
      }
      this.card.hidden = !thing;
      if (!thing) {
        this.shownKey = null;
        return;
      }
      const unit = this.live.selected.type === "unit";
      const key = this.live.selected.type + thing.id + (this.live.following === thing.id);
      const facts = unit ? this.unitFacts(thing) : this.incidentFacts(thing);
      if (key !== this.shownKey) {
        // Built once for each choice; afterwards only the values change, so that the focus stays.
        this.shownKey = key;
        const focused = this.card.contains(document.activeElement) ? document.activeElement.className : null;
        this.values = el("dl", { class: "gp-facts" });
        const following = this.live.following === thing.id;
        this.track = unit && this.live.options.tracksUrl ? el("a", { class: "gp-track-link" }, two("近 30 分钟轨迹", "Track")) : null;
        this.card.replaceChildren(
          el("h2", {}, unit ? thing.p.call_sign || thing.p.name : two(...gp.named("incident", thing.p.kind)),
            el("button", { type: "button", class: "gp-close", "aria-label": "关闭详情 Close", onclick: () => this.live.select(null) }, "×")),
          this.values,
          el("p", { class: "gp-actions" },
            el("button", { type: "button", class: "gp-goto", onclick: () => this.live.map.setView([thing.lat, thing.lon], Math.max(16, this.live.map.getZoom())) }, two("定位", "Zoom to")),
            unit ? el("button", { type: "button", class: "gp-follow", "aria-pressed": String(following), onclick: () => this.live.follow(following ? null : thing.id) },
              following ? two("停止跟随", "Stop following") : two("跟随", "Follow")) : null,
            this.track));
        if (focused) this.card.querySelector("." + CSS.escape(focused))?.focus();
        this.card.scrollIntoView({ block: "nearest" });
      }
      // The window ends now, whenever the link is opened.
      if (this.track) this.track.href = this.trackUrl(thing.p.device);
      this.values.replaceChildren(...facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
      this.tick();
    }

    trackUrl(device) {
      const now = this.live.picture.now();
      const instant = (ms) => new Date(ms).toISOString().slice(0, 19) + "Z";
      return `${this.live.options.tracksUrl}/${encodeURIComponent(device)}?datetime=${instant(now - TRACK_MS)}/${instant(now)}`;
    }

    unitFacts(unit) {
      const p = unit.p;
      const kmh = Number.isFinite(p.speed_mps) ? Math.round(p.speed_mps * 3.6) + " km/h" : "—";
      const course = Number.isFinite(p.course_deg) ? Math.round(p.course_deg) + "°" : "—";
      return [
        ["类型 Kind", gp.both("kind", p.kind)],
        p.status ? ["状态 Status", gp.both("status", p.status)] : null,
        ["名称 Name", p.name],
        ["设备 Device", p.device],
        ["速度 Speed", kmh],
        ["航向 Course", course],
        p.accuracy_m ? ["精度 Accuracy", "± " + Math.round(p.accuracy_m) + " m"] : null,
        ["定位时间 Fix", this.live.clock.full(unit.time)],
        ["位置时效 Age", el("span", { "data-since": unit.time })],
        ["坐标 Position", unit.lat.toFixed(5) + " N, " + unit.lon.toFixed(5) + " E"],
        p.matched ? ["道路 Road", p.matched.road || "无名 " + p.matched.edge] : null,
      ].filter(Boolean);
    }

    incidentFacts(incident) {
      const p = incident.p;
      return [
        ["编号 Id", incident.id],
        ["等级 Grade", gp.both("severity", p.severity)],
        ["状态 State", gp.both("state", p.state)],
        ["地址 Address", p.address || "—"],
        ["内容 Summary", p.summary || "—"],
        ["发生 Occurred", this.live.clock.full(incident.time)],
        ["已过 Age", el("span", { "data-since": incident.time })],
        ["警力 Units", p.units && p.units.length ? p.units.join("、") : "—"],
        ["来源 Source", p.source || "—"],
        ["坐标 Position", incident.lat.toFixed(5) + " N, " + incident.lon.toFixed(5) + " E"],
      ];
    }

    tooltip(hit, at) {
      this.tip.hidden = !hit;
      if (!hit) return;
      const p = hit.thing.p;
      this.tip.textContent = hit.type === "unit"
        ? [p.call_sign || p.name, gp.word("kind", p.kind), p.status ? gp.word("status", p.status) : ""].filter(Boolean).join(" · ")
        : [gp.word("incident", p.kind), gp.word("state", p.state), p.address].filter(Boolean).join(" · ");
      gp.placeTip(this.tip, at, this.live.map);
    }

    legend() {
      const live = this.live;
      const control = L.control({ position: "bottomleft" });
      control.onAdd = () => {
        const KEY = 24;
        const picture = (sprite) => {
          // The part with ink in it: a drop hangs above its middle, the others lie around it.
          const scale = sprite.width / sprite.size;
          const top = sprite.size === 60 ? 0 : (sprite.size - KEY) / 2;
          const part = sprite.size === 60 ? 32 : KEY;
          const copy = el("canvas", { "aria-hidden": "true" });
          copy.width = copy.height = KEY * scale;
          copy.style.width = copy.style.height = KEY + "px";
          const left = (sprite.size - part) / 2;
          copy.getContext("2d").drawImage(sprite, left * scale, top * scale, part * scale, part * scale, 0, 0, copy.width, copy.height);
          return copy;
        };
        const rows = (items) => el("ul", {}, items.map(([sprite, label]) => el("li", {}, el("span", { class: "gp-key" }, picture(sprite)), label)));
        const toggle = (key, zh, en) => el("h3", {}, el("label", {}, el("input", {
          type: "checkbox", checked: true,
          onchange: (event) => {
            live.shown[key] = event.target.checked;
            live.redraw();
          },
        }), zh + " " + en));
        const box = el("details", { class: "gp-legend gp-live-legend", open: window.innerWidth >= 1200 && window.innerHeight >= 700 },
          el("summary", {}, "图例 Legend"),
          el("div", {},
            toggle("police", "警力", "Police units"),
            rows([
              ...Object.keys(gp.words.status).map((status) => [gp.unitSprite({ kind: "patrol_car", status }), gp.both("status", status)]),
              [gp.unitSprite({ kind: "officer", status: "available" }), gp.both("kind", "officer")],
              [gp.unitSprite({ kind: "handheld", status: "available" }), gp.both("kind", "handheld")],
            ]),
            toggle("civil", "社会车辆", "Other vehicles"),
            rows(["taxi", "bus", "private_car", "e_bike"].map((kind) => [gp.unitSprite({ kind }), gp.both("kind", kind)])),
            toggle("incidents", "警情", "Incidents"),
            rows([
              ...Object.keys(gp.words.severity).map((s) => [gp.incidentSprite({ severity: Number(s), state: "reported" }), gp.both("severity", s)]),
              [gp.incidentSprite({ severity: 2, state: "en_route" }), "处置中 In hand"],
              [gp.incidentSprite({ severity: 2, state: "cleared" }), "已处置 Cleared"],
            ]),
            el("p", {}, "位置超过 1 分钟变淡 Faded: older than 1 min")));
        L.DomEvent.disableClickPropagation(box);
        L.DomEvent.disableScrollPropagation(box);
        return box;
      };
      control.addTo(live.map);
    }
  };
})();
