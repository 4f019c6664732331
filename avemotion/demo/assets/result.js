// One answer: player, values at the cursor, timeline and table. The value of the component comes from answers.py.
"use strict";
(() => {
  const { node, clock, colour, until, SHARE, Axis } = window.avemotion;
  const UNPLAYABLE = "This browser cannot play this file. The timeline works all the same.";

  const KINDS = { json: "JSON", csv: "CSV", srt: "subtitles (SRT)", TextGrid: "TextGrid (Praat, ELAN)" };

  class Result {
    constructor(element) {
      this.root = element.querySelector(".result");
    }

    show(value) {
      this.root.hidden = !value;
      if (!value) return this.clear();
      const { recording, models, source } = value;
      if (!this.axis || this.source !== source?.url || this.file !== recording.file) this.build(recording, models, source);
      this.recording = recording;
      this.models = models;
      this.axis.show(recording, models);
      this.title.textContent = `${recording.file}, ${clock(recording.seconds, 1)}`;
      this.notes.replaceChildren(...recording.notes.map((text) => node("li", {}, null, text)));
      this.table();
      this.download(value);
      this.at(value.live ? Math.max(0, recording.seconds - 0.01) : Math.min(this.time ?? 0, recording.seconds));
    }

    clear() {
      cancelAnimationFrame(this.tick);
      this.root.replaceChildren();
      this.axis = this.player = this.time = null;
    }

    build(recording, models, source) {
      this.clear();
      this.source = source?.url;
      this.file = recording.file;
      this.title = node("h3", {}, this.root);
      const top = node("div", { class: "top" }, this.root);
      if (source) this.play(node("div", { class: "player" }, top), source);
      this.now = node("div", { class: "now" }, top);
      this.notes = node("ul", { class: "notes" }, this.root);
      this.axis = new Axis(this.root, (time) => this.seek(time));
      node("h4", { class: "heading" }, this.root, "Windows");
      this.rows = node("tbody", {}, this.sheet(recording, models));
      this.files = node("p", { class: "files" }, this.root);
      this.rows.onclick = (event) => {
        const row = event.target.closest("tr");
        if (row) this.seek(this.recording.windows[row.dataset.window].start);
      };
    }

    play(parent, source) {
      this.player = node(source.picture ? "video" : "audio", { controls: "", preload: "auto", playsinline: "", src: source.url }, parent);
      this.player.onerror = () => {
        this.player = null;
        parent.replaceChildren(node("p", { class: "unplayable" }, null, UNPLAYABLE));
      };
      const follow = () => {
        if (!this.player) return;
        if (Math.abs(this.player.currentTime - this.time) > 0.01) this.at(this.player.currentTime);
        this.tick = requestAnimationFrame(follow);
      };
      this.player.onplay = () => { cancelAnimationFrame(this.tick); follow(); };
      this.player.onpause = () => cancelAnimationFrame(this.tick);
      this.player.ontimeupdate = this.player.onseeked = () => this.player && this.at(this.player.currentTime);
    }

    seek(time) {
      if (this.player) this.player.currentTime = time;
      this.at(time);
    }

    at(time) {
      this.time = time;
      this.axis.move(time);
      const windows = this.recording.windows;
      const i = windows.findIndex((w, k) => time < until(windows, k));
      const index = i < 0 ? windows.length - 1 : i;
      if (this.shown === windows[index]) return;
      this.shown = windows[index];
      this.values(this.shown);
      this.rows.querySelector(".current")?.classList.remove("current");
      const row = this.rows.rows[index], sheet = this.rows.closest(".sheet");
      if (!row) return;
      row.classList.add("current");
      // The table alone scrolls, not the page; its head covers the first row of the view.
      const above = row.offsetTop - row.offsetHeight, below = row.offsetTop + row.offsetHeight - sheet.clientHeight;
      sheet.scrollTop = Math.min(Math.max(sheet.scrollTop, below), above);
    }

    // downloads: name -> address. files: name -> content, of a live recording.
    download({ downloads = {}, files = {} }) {
      const made = Object.entries(files).map(([name, text]) => [name, URL.createObjectURL(new Blob([text]))]);
      const links = [...Object.entries(downloads), ...made].map(([name, href]) => node("a", { href, download: name }, null, `Download ${KINDS[name.split(".").pop()]}`));
      this.files.replaceChildren(...links);
    }

    // Bars of the window under the cursor.
    values(w) {
      this.now.replaceChildren();
      const span = node("p", { class: "span" }, this.now, `${clock(w.start, 1)} to ${clock(w.end, 1)}`);
      if (w.predicted) node("strong", {}, span, w.predicted);
      const list = node("dl", {}, this.now);
      (w.emotion ? this.models.emotion.classes : []).forEach((name, k) => {
        this.bar(list, name, colour(k), 0, w.emotion[name], SHARE.format(w.emotion[name]));
      });
      this.models.targets.forEach((target) => {
        if (!w[target]) return;
        const [low, high] = this.models.affect.scale[target], { mean, sd } = w[target];
        const at = (value) => Math.min(1, Math.max(0, (value - low) / (high - low)));
        this.bar(list, target, "var(--ink)", at(mean - sd), at(mean + sd), `${mean.toFixed(2)} ± ${sd.toFixed(2)}`, at(mean));
      });
      if (w.audio_share !== null) this.bar(list, "share of sound", "var(--sound)", 0, w.audio_share, SHARE.format(w.audio_share));
    }

    bar(list, name, of, from, to, text, mark = null) {
      node("dt", {}, list, name);
      const track = node("dd", {}, list);
      const rail = node("span", { class: "rail" }, track);
      node("i", { style: `left:${from * 100}%;width:${Math.max(0.5, (to - from) * 100)}%;background:${of}`, class: mark === null ? "" : "spread" }, rail);
      if (mark !== null) node("b", { style: `left:${mark * 100}%;background:${of}` }, rail);
      node("span", { class: "number" }, track, text);
    }

    sheet(recording, models) {
      const frame = node("div", { class: "sheet", tabindex: 0 }, this.root), table = node("table", {}, frame);
      const head = node("tr", {}, node("thead", {}, table));
      const names = ["from", "to", ...(models.emotion ? ["emotion", "probability"] : []), ...models.targets];
      if (models.emotion) names.push("share of sound");
      for (const name of names) node("th", { scope: "col" }, head, name);
      return table;
    }

    // Rows that are there already stay as they are: a live table grows.
    table() {
      const { windows } = this.recording, targets = this.models.targets;
      if (this.rows.rows.length > windows.length) this.rows.replaceChildren();
      for (let i = this.rows.rows.length; i < windows.length; i++) {
        const w = windows[i], row = node("tr", { "data-window": i }, this.rows);
        const cells = [clock(w.start, 1), clock(w.end, 1)];
        if (this.models.emotion) cells.push(w.predicted ?? "none", w.emotion ? SHARE.format(w.emotion[w.predicted]) : "");
        for (const target of targets) cells.push(w[target] ? `${w[target].mean.toFixed(2)} ± ${w[target].sd.toFixed(2)}` : "none");
        if (this.models.emotion) cells.push(w.audio_share === null ? "" : SHARE.format(w.audio_share));
        for (const text of cells) node("td", {}, row, text);
      }
    }
  }

  window.avemotion.Result = Result;
})();
