// Lanes over one time axis. A recording has the form of `commands.predict --json`: seconds, windows, attention.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const ATTENTION = { video_to_audio: "video → audio", audio_to_video: "audio → video", prosody_to_speech: "prosody → speech" };
  const DOTS = "audio_to_video"; // few frames, against many audio steps
  const GAP = 1; // pixels between windows that are wide enough
  const SHARE = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 0 });

  const node = (name, attributes = {}, parent = null, text = "") => {
    const made = name.startsWith("svg:") ? document.createElementNS(SVG, name.slice(4)) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  };
  const clock = (seconds, digits = 0) => {
    const unit = 10 ** digits, whole = Math.round(Math.max(0, seconds) * unit);
    const minutes = Math.floor(whole / (60 * unit)), rest = (whole - minutes * 60 * unit) / unit;
    const tail = rest.toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
    if (minutes < 60) return `${minutes}:${tail}`;
    return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${tail}`;
  };
  const colour = (i) => `var(--series-${(i % 10) + 1})`;
  // A window's part of the axis ends where the next window begins.
  const until = (windows, i) => (i + 1 < windows.length ? windows[i + 1].start : windows[i].end);

  // One path of rectangles: [from s, to s, bottom, top] each; bottom and top between 0 and 1.
  const area = (svg, box, rectangles, attributes) => {
    const parts = rectangles.map(([from, to, low, high]) => {
      const left = box.x(from), gap = box.x(to) - left > 6 ? GAP : 0;
      const right = Math.max(box.x(to) - gap, left + 0.5);
      return `M${left.toFixed(2)} ${box.y(low).toFixed(2)}H${right.toFixed(2)}V${box.y(high).toFixed(2)}H${left.toFixed(2)}Z`;
    });
    return node("svg:path", { d: parts.join(""), ...attributes }, svg);
  };
  const level = (svg, box, value, text, className = "level") => {
    const y = box.y(value);
    node("svg:line", { x1: 0, x2: box.width, y1: y, y2: y, class: className }, svg);
    if (text) node("svg:text", { x: 3, y: value > 0.9 ? y + 11 : y - 3, class: "tick" }, svg, text);
  };

  const emotions = (recording, models) => ({
    name: "emotion", title: "Emotion probabilities", height: 130,
    key: models.emotion.classes.map((name, i) => [name, colour(i)]),
    absent: recording.windows.every((w) => !w.emotion) && "no emotion: the model needs what this recording lacks",
    draw(svg, box) {
      const bottom = recording.windows.map(() => 0);
      models.emotion.classes.forEach((name, k) => {
        const rows = [];
        recording.windows.forEach((w, i) => {
          if (!w.emotion) return;
          rows.push([w.start, until(recording.windows, i), bottom[i], bottom[i] + w.emotion[name]]);
          bottom[i] += w.emotion[name];
        });
        area(svg, box, rows, { fill: colour(k), "data-series": name });
      });
    },
  });

  const affect = (recording, models, target) => {
    const [low, high] = models.affect.scale[target];
    const shown = recording.windows.filter((w) => w[target]).map((w) => w[target]);
    const bottom = Math.min(low, ...shown.map((v) => v.mean - v.sd)), top = Math.max(high, ...shown.map((v) => v.mean + v.sd));
    const share = (value) => (value - bottom) / (top - bottom);
    return {
      name: target, title: `${target[0].toUpperCase()}${target.slice(1)}`, height: 72, hint: "mean ± sd over the models of the folds", key: [],
      absent: !shown.length && "no valence and arousal without sound",
      draw(svg, box) {
        const bands = [], lines = [];
        recording.windows.forEach((w, i) => {
          if (!w[target]) return;
          const { mean, sd } = w[target], from = box.x(w.start), to = box.x(until(recording.windows, i));
          bands.push([w.start, until(recording.windows, i), share(mean - sd), share(mean + sd)]);
          const joined = i > 0 && recording.windows[i - 1][target];
          lines.push(`${joined ? "L" : "M"}${from.toFixed(2)} ${box.y(share(mean)).toFixed(2)}H${to.toFixed(2)}`);
        });
        level(svg, box, share(low), String(low));
        level(svg, box, share(high), String(high));
        level(svg, box, share((low + high) / 2), "", "level middle");
        area(svg, box, bands, { fill: "var(--ink)", class: "spread", "data-series": `${target} sd` });
        node("svg:path", { d: lines.join(""), stroke: "var(--ink)", class: "line", "data-series": target }, svg);
      },
    };
  };

  const gate = (recording) => ({
    name: "gate", title: "Gate", hint: "share of sound and picture in the emotion", height: 44,
    key: [["sound", "var(--sound)"], ["picture", "var(--picture)"]],
    absent: recording.windows.every((w) => w.audio_share === null) && "no gate in this model, or nothing to weigh",
    draw(svg, box) {
      const rows = recording.windows.map((w, i) => [w, until(recording.windows, i)]).filter(([w]) => w.audio_share !== null);
      area(svg, box, rows.map(([w, end]) => [w.start, end, 0, w.audio_share]), { fill: "var(--sound)", "data-series": "sound" });
      area(svg, box, rows.map(([w, end]) => [w.start, end, w.audio_share, 1]), { fill: "var(--picture)", "data-series": "picture" });
      level(svg, box, 0.5, "", "level middle");
    },
  });

  const attention = (recording) => {
    const names = Object.keys(ATTENTION).filter((name) => recording.windows.some((w) => w.attention[name]));
    const relative = (w, name) => w.attention[name].weights.map((weight) => weight * (w.attention[name].steps ?? w.attention[name].weights.length));
    const highest = Math.max(1.5, ...recording.windows.flatMap((w) => names.filter((n) => w.attention[n]).map((n) => Math.max(...relative(w, n)))));
    return {
      name: "attention", title: "Attention", hint: "weight relative to uniform (1)", height: 84, key: names.map((name, k) => [ATTENTION[name], colour(k)]),
      absent: !names.length && "no attention in these models, or nothing to attend to",
      draw(svg, box) {
        level(svg, box, 1 / highest, "1");
        names.forEach((name, k) => {
          const parts = [];
          recording.windows.forEach((w, i) => {
            if (!w.attention[name]) return;
            const values = relative(w, name), end = until(recording.windows, i);
            const points = w.attention[name].seconds.map((t, j) => [t, values[j]]).filter(([t]) => t < end);
            points.forEach(([t, value], j) => {
              const x = box.x(t), y = box.y(value / highest);
              parts.push(`${j ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`);
              if (name === DOTS && points.length * recording.windows.length < 600) node("svg:circle", { cx: x, cy: y, r: 2.5, fill: colour(k) }, svg);
            });
          });
          node("svg:path", { d: parts.join(""), stroke: colour(k), class: "line thin", "data-series": name }, svg);
        });
      },
    };
  };

  const faces = (recording) => ({
    name: "face", title: "Faces found", height: 12,
    key: [["face", "var(--face)"], ["picture without a face", "var(--no-face)"]],
    absent: recording.windows.every((w) => !w.picture) ? "no picture"
      : recording.windows.every((w) => !w.picture || w.face === null) && "these models take the middle of a picture and look for no face",
    draw(svg, box) {
      const rows = (wanted) => recording.windows.map((w, i) => [w, until(recording.windows, i)])
        .filter(([w]) => w.picture && Boolean(w.face) === wanted).map(([w, end]) => [w.start, end, 0, 1]);
      area(svg, box, rows(true), { fill: "var(--face)", "data-series": "face" });
      area(svg, box, rows(false), { fill: "var(--no-face)", "data-series": "picture" });
    },
  });

  const lanes = (recording, models) => [
    ...(models.emotion ? [emotions(recording, models)] : []),
    ...models.targets.map((target) => affect(recording, models, target)),
    ...(models.emotion ? [gate(recording)] : []),
    attention(recording),
    faces(recording),
  ];

  window.avemotion = { node, clock, colour, lanes, until, SHARE };
})();
