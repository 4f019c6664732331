// The lanes of a recording on one zoomable clock, with a cursor; a click or an arrow key asks for a time.
"use strict";
(() => {
  const { node, clock, lanes } = window.avemotion;
  const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
  const SPACE = 64; // pixels from tick to tick, at least
  const SHORTEST = 1; // seconds in view, at least

  class Axis {
    // onSeek(seconds) is called for every time that a person chooses.
    constructor(parent, onSeek) {
      this.onSeek = onSeek;
      this.root = node("div", { class: "axis" }, parent);
      const bar = node("div", { class: "zoom" }, this.root);
      node("h4", { class: "heading" }, bar, "Timeline");
      this.span = node("span", {}, bar);
      for (const [text, name, factor] of [["−", "Zoom out", 2], ["+", "Zoom in", 0.5]]) {
        node("button", { type: "button", "aria-label": name, title: name }, bar, text).onclick = () => this.zoom(factor);
      }
      this.body = node("div", { class: "lanes", tabindex: 0, role: "slider", "aria-label": "Time", "aria-valuemin": 0 }, this.root);
      this.body.addEventListener("pointerdown", (event) => this.press(event));
      this.body.addEventListener("keydown", (event) => this.key(event));
      this.time = 0;
      this.width = 0;
      new ResizeObserver(() => this.body.clientWidth !== this.width && this.draw()).observe(this.body);
    }

    show(recording, models) {
      const same = this.recording?.file === recording.file;
      this.recording = recording;
      this.models = models;
      if (!same || this.whole) this.view = [0, recording.seconds];
      this.draw();
    }

    get whole() {
      return !this.view || this.view[1] - this.view[0] >= this.seconds * 0.999;
    }

    x(time) {
      return ((time - this.view[0]) / (this.view[1] - this.view[0])) * this.width;
    }

    draw() {
      if (!this.recording) return;
      this.seconds = this.recording.seconds;
      this.width = this.body.clientWidth;
      this.body.replaceChildren();
      for (const lane of lanes(this.recording, this.models)) this.lane(lane);
      this.ruler();
      this.cursor = node("div", { class: "cursor" }, this.body);
      this.body.setAttribute("aria-valuemax", this.seconds.toFixed(1));
      this.span.textContent = this.whole ? "" : `${clock(this.view[0])} to ${clock(this.view[1])}`;
      this.move(this.time, false);
    }

    lane(lane) {
      const section = node("section", { class: "lane", "data-lane": lane.name }, this.body);
      const header = node("header", {}, section);
      node("h4", {}, header, lane.title);
      if (lane.absent) return void node("span", { class: "hint" }, header, lane.absent);
      if (lane.hint) node("span", { class: "hint" }, header, lane.hint);
      const key = node("ul", { class: "key" }, header);
      for (const [text, of] of lane.key) node("i", { style: `background:${of}` }, node("li", {}, key, text));
      const svg = node("svg:svg", { width: this.width, height: lane.height }, section);
      lane.draw(svg, { width: this.width, x: (time) => this.x(time), y: (share) => (1 - share) * lane.height });
    }

    ruler() {
      const svg = node("svg:svg", { width: this.width, height: 18, class: "ruler" }, this.body);
      const seconds = this.view[1] - this.view[0];
      const step = STEPS.find((of) => (of / seconds) * this.width >= SPACE) ?? STEPS.at(-1);
      for (let i = Math.ceil(this.view[0] / step); i * step <= this.view[1]; i++) {
        const x = this.x(i * step), nearEnd = x > this.width - 20;
        node("svg:line", { x1: x, x2: x, y1: 0, y2: 5, class: "level" }, svg);
        node("svg:text", { x: nearEnd ? this.width : x, y: 16, class: "tick", "text-anchor": nearEnd ? "end" : x < 10 ? "start" : "middle" }, svg, clock(i * step, step < 1 ? 1 : 0));
      }
    }

    // follow: keep the cursor in view, as playback needs it.
    move(time, follow = true) {
      this.time = time;
      if (!this.cursor) return;
      const [from, to] = this.view;
      if (follow && !this.whole && (time < from || time > to)) return this.look(time - (to - from) * 0.1, to - from);
      const x = this.x(time);
      this.cursor.style.transform = `translateX(${Math.min(x, this.width - 1).toFixed(2)}px)`;
      this.cursor.hidden = x < 0 || x > this.width + 0.5;
      this.body.setAttribute("aria-valuenow", time.toFixed(2));
      this.body.setAttribute("aria-valuetext", clock(time, 1));
    }

    zoom(factor) {
      if (!this.recording) return;
      const length = Math.min(this.seconds, Math.max(SHORTEST, (this.view[1] - this.view[0]) * factor));
      this.look(this.time - length / 2, length);
    }

    look(from, length) {
      const start = Math.max(0, Math.min(from, this.seconds - length));
      this.view = [start, Math.min(this.seconds, start + length)];
      this.draw();
    }

    press(event) {
      if (!this.recording) return;
      const seek = (of) => {
        const share = (of.clientX - this.body.getBoundingClientRect().left) / this.width;
        this.onSeek(this.view[0] + Math.min(1, Math.max(0, share)) * (this.view[1] - this.view[0]));
      };
      seek(event);
      if (event.pointerType === "touch") return; // a finger scrolls the page
      const stop = () => this.body.removeEventListener("pointermove", seek);
      this.body.setPointerCapture(event.pointerId);
      this.body.addEventListener("pointermove", seek);
      for (const end of ["pointerup", "pointercancel"]) this.body.addEventListener(end, stop, { once: true });
    }

    key(event) {
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10 }[event.key];
      const time = event.key === "Home" ? 0 : event.key === "End" ? this.seconds : step && this.time + step;
      if (time === undefined || !this.recording) return;
      event.preventDefault();
      this.onSeek(Math.min(this.seconds, Math.max(0, time)));
    }
  }

  window.avemotion.Axis = Axis;
})();
