/* The basemap: vector tiles of the city drawn by protomaps-leaflet, calm enough to lie under an operation. */
(function () {
  "use strict";
  const gp = (window.geoPolicing = window.geoPolicing || {});

  const FONT =
    '"Noto Sans CJK SC","Noto Sans SC","Source Han Sans SC","PingFang SC","Microsoft YaHei",sans-serif';

  const THEMES = {
    light: {
      outside: "#e6e9ec", land: "#f4f4f1", green: "#d9e8cf", water: "#b4d2e8", waterText: "#4c7fa8",
      building: "#e4e2dc", buildingEdge: "#d6d3cb", boundary: "#a7aeb8",
      casing: "#cfd2d4", road: "#ffffff", path: "#d2cdc2",
      arterial: "#fdf1cf", arterialCasing: "#dcc68f", expressway: "#f7d9a6", expresswayCasing: "#d3a45c",
      tunnel: "#eceae6", text: "#4a5260", minorText: "#6d7581", halo: "#ffffff", district: "#7a8494",
      police: "#1f4e8c", hospital: "#b3423f", school: "#8a6d3b", park: "#4d7a43",
    },
    dark: {
      outside: "#10151c", land: "#181f28", green: "#1b2a25", water: "#13304a", waterText: "#5f8fb8",
      building: "#202934", buildingEdge: "#2a3441", boundary: "#4a5566",
      casing: "#0f141b", road: "#333e4c", path: "#2b3440",
      arterial: "#465365", arterialCasing: "#0f141b", expressway: "#5f6a78", expresswayCasing: "#0f141b",
      tunnel: "#232c37", text: "#b7c0cc", minorText: "#8a95a3", halo: "#141a22", district: "#6d7a8c",
      police: "#7fb0ee", hospital: "#e28a86", school: "#c9ab76", park: "#7fae78",
    },
  };

  // Width in pixels by zoom, and the zoom from which it is drawn. From the least important to the most.
  const ROADS = [
    { classes: ["footway", "cycleway", "track"], from: 15, width: [[15, 0.6], [18, 2.5]], fill: "path", dash: [3, 2] },
    { classes: ["service"], from: 15, width: [[15, 1], [18, 7]], fill: "road" },
    { classes: ["residential", "unknown"], from: 14, width: [[14, 0.8], [16, 3], [18, 11]], fill: "road" },
    { classes: ["street"], from: 13, width: [[13, 0.8], [15, 3], [18, 14]], fill: "road" },
    { classes: ["secondary"], from: 11, width: [[11, 0.7], [13, 2], [15, 4.5], [18, 18]], fill: "road" },
    { classes: ["arterial"], from: 10, width: [[10, 0.9], [13, 3], [15, 6], [18, 22]], fill: "arterial" },
    { classes: ["expressway_ramp"], from: 12, width: [[12, 0.9], [15, 3.4], [18, 12]], fill: "expressway" },
    { classes: ["expressway"], from: 9, width: [[9, 1.2], [13, 3.6], [15, 7], [18, 24]], fill: "expressway" },
  ];

  function ramp(stops) {
    return function (zoom) {
      if (zoom <= stops[0][0]) return stops[0][1];
      for (let i = 1; i < stops.length; i++) {
        const [z0, w0] = stops[i - 1];
        const [z1, w1] = stops[i];
        if (zoom <= z1) return w0 * Math.pow(w1 / w0, (zoom - z0) / (z1 - z0));
      }
      return stops[stops.length - 1][1];
    };
  }

  const of = (classes) => (_zoom, feature) => classes.includes(feature.props.class);
  const also = (classes, flag) => (_zoom, feature) =>
    classes.includes(feature.props.class) && Boolean(feature.props[flag]);
  // From afar a tunnel is drawn as the road it is, so that the road does not end at the hill.
  const plain = (classes) => (zoom, feature) =>
    classes.includes(feature.props.class) && (!feature.props.tunnel || zoom < 13);

  function paintRules(theme) {
    const { PolygonSymbolizer, LineSymbolizer } = protomapsL;
    const rules = [
      { dataLayer: "urban_area", symbolizer: new PolygonSymbolizer({ fill: theme.land }) },
      { dataLayer: "green", symbolizer: new PolygonSymbolizer({ fill: theme.green }) },
      { dataLayer: "water", symbolizer: new PolygonSymbolizer({ fill: theme.water }) },
      {
        dataLayer: "buildings",
        minzoom: 15,
        symbolizer: new PolygonSymbolizer({
          fill: theme.building,
          stroke: theme.buildingEdge,
          width: (z) => (z >= 16 ? 0.8 : 0),
        }),
      },
    ];
    const line = (options, from, filter) =>
      rules.push({
        dataLayer: "roads",
        minzoom: from,
        filter,
        symbolizer: new LineSymbolizer({ lineJoin: "round", ...options }),
      });
    for (const road of ROADS) {
      const width = ramp(road.width);
      line({ color: theme.tunnel, width, lineCap: "round" }, Math.max(road.from, 13), also(road.classes, "tunnel"));
      const edge = theme.boundary;
      line(
        { color: edge, width: (z) => width(z) + 1.4, dash: [4, 3], opacity: 0.7 },
        Math.max(road.from, 13),
        also(road.classes, "tunnel"),
      );
      line({ color: theme.tunnel, width }, Math.max(road.from, 13), also(road.classes, "tunnel"));
    }
    for (const road of ROADS) {
      if (road.dash) continue;
      const width = ramp(road.width);
      const color = theme[road.fill + "Casing"] || theme.casing;
      line(
        { color, width: (z) => width(z) + (z < 13 ? 0.8 : 1.5), lineCap: "round" },
        Math.max(road.from, 12),
        plain(road.classes),
      );
    }
    for (const road of ROADS) {
      const width = ramp(road.width);
      const color = (z) => (z < 12 && road.fill === "road" ? theme.casing : theme[road.fill]);
      const options = road.dash
        ? { color: theme[road.fill], width, dash: road.dash }
        : { color, width, lineCap: "round" };
      line(options, road.from, plain(road.classes));
    }
    // What crosses on a bridge lies over what runs below it.
    for (const road of ROADS) {
      const width = ramp(road.width);
      const edge = theme[road.fill + "Casing"] || theme.boundary;
      line({ color: edge, width: (z) => width(z) + 2 }, Math.max(road.from, 13), also(road.classes, "bridge"));
      line({ color: theme[road.fill], width, lineCap: "round" }, Math.max(road.from, 13), also(road.classes, "bridge"));
    }
    rules.push({
      dataLayer: "districts",
      maxzoom: 15,
      symbolizer: new LineSymbolizer({ color: theme.boundary, width: 1.2, dash: [7, 4], opacity: 0.8 }),
    });
    return rules;
  }

  class Place {
    /* A dot in the colour of its kind with the name below. */
    constructor(colour, theme, nameFrom) {
      this.dot = new protomapsL.CircleSymbolizer({
        radius: (z) => (z >= 15 ? 4.5 : 3),
        fill: colour,
        stroke: theme.halo,
        width: 1.5,
      });
      this.text = new protomapsL.CenteredTextSymbolizer({
        fontFamily: FONT, fontSize: 11.5, fontWeight: 500, fill: colour, stroke: theme.halo, width: 1.8,
      });
      this.nameFrom = nameFrom;
    }

    place(layout, geom, feature) {
      const dots = this.dot.place(layout, geom, feature);
      if (layout.zoom < this.nameFrom || !feature.props.name) return dots;
      const names = this.text.place(layout, geom, feature);
      if (!dots || !names) return dots;
      const box = names[0].bboxes[0];
      const down = 14;
      const boxes = [
        dots[0].bboxes[0],
        { minX: box.minX, maxX: box.maxX, minY: box.minY + down, maxY: box.maxY + down },
      ];
      const draw = (ctx) => {
        dots[0].draw(ctx);
        ctx.translate(0, down);
        names[0].draw(ctx);
      };
      return [{ anchor: dots[0].anchor, bboxes: boxes, draw }];
    }
  }

  function labelRules(theme) {
    const { CenteredTextSymbolizer, LineLabelSymbolizer } = protomapsL;
    const kind = (name) => (_zoom, feature) => feature.props.kind === name;
    const text = (options) =>
      new CenteredTextSymbolizer({ fontFamily: FONT, stroke: theme.halo, width: 2, ...options });
    const rules = [
      {
        dataLayer: "places", filter: kind("district"), maxzoom: 13,
        symbolizer: text({
          fontSize: (z) => (z >= 12 ? 19 : 16), fontWeight: 600, fill: theme.district, letterSpacing: 5,
        }),
      },
      {
        dataLayer: "places", filter: kind("water"), minzoom: 11,
        symbolizer: text({ fontSize: 14, fill: theme.waterText, stroke: theme.water, width: 1.5, letterSpacing: 6, fontStyle: "italic" }),
      },
      { dataLayer: "places", filter: kind("police_station"), minzoom: 12, symbolizer: new Place(theme.police, theme, 14) },
      { dataLayer: "places", filter: kind("hospital"), minzoom: 13, symbolizer: new Place(theme.hospital, theme, 14) },
    ];
    const roads = [
      [["expressway"], 12, 12, 600],
      [["arterial"], 13, 12, 500],
      [["secondary"], 14, 11.5, 500],
      [["street"], 15, 11, 400],
      [["residential", "unknown", "service", "footway", "track"], 16, 10.5, 400],
    ];
    for (const [classes, minzoom, fontSize, fontWeight] of roads) {
      rules.push({
        dataLayer: "roads", minzoom, filter: of(classes),
        symbolizer: new LineLabelSymbolizer({
          fontFamily: FONT, fontSize, fontWeight,
          fill: fontSize > 11 ? theme.text : theme.minorText,
          stroke: theme.halo, width: 2, repeatDistance: 420, position: 2,
        }),
      });
    }
    rules.push(
      {
        dataLayer: "places", filter: kind("green"), minzoom: 13,
        symbolizer: text({ fontSize: 11.5, fill: theme.park, fontWeight: 500 }),
      },
      { dataLayer: "places", filter: kind("school"), minzoom: 15, symbolizer: new Place(theme.school, theme, 16) },
    );
    return rules;
  }

  /* Tiles that stand in the page: z/x/y to base64 of gzip. */
  class EmbeddedTiles {
    constructor(tiles) {
      this.tiles = tiles;
    }

    async getZxy(z, x, y) {
      const text = this.tiles[z + "/" + x + "/" + y];
      if (!text) return undefined;
      const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
      return { data: await new Response(stream).arrayBuffer() };
    }
  }

  /* Draw the basemap under everything else. source: a URL, tiles in the page, or null for a plain ground. */
  gp.basemap = function (map, source, options) {
    const theme = THEMES[options.theme] || THEMES.light;
    map.getContainer().style.background = source ? theme.outside : theme.land;
    map.getContainer().classList.add("gp-" + (options.theme || "light"));
    if (!source) return null;
    const layer = protomapsL.leafletLayer({
      url: typeof source === "string" ? source : new EmbeddedTiles(source),
      paintRules: paintRules(theme),
      labelRules: labelRules(theme),
      backgroundColor: theme.outside,
      maxDataZoom: options.maxDataZoom,
      minZoom: 8,
      attribution: options.attribution || "",
      lang: "zh-Hans",
      keepBuffer: 3,
      // Two pixels a point are enough for a ground, even on finer screens.
      devicePixelRatio: Math.min(2, window.devicePixelRatio || 1),
    });
    layer.labelers.maxLabeledTiles = 64;
    return layer.addTo(map);
  };
})();
