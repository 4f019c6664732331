// A microphone that is predicted while it records. Blocks of sound wait here until the server has taken those before
// them, so none is lost and their order is kept; a slow server gets longer blocks.
"use strict";
(() => {
  const { node } = window.avemotion;
  const BLOCK = 0.25; // seconds of sound to send, at least
  const TAP = `registerProcessor("tap", class extends AudioWorkletProcessor {
    constructor() { super(); this.held = []; }
    process([input]) {
      if (input.length) this.held.push(Int16Array.from(input[0], (v) => Math.max(-1, Math.min(1, v)) * 32767));
      if (this.held.length >= 16) { this.port.postMessage(this.held); this.held = []; }
      return true;
    }
  });`;
  // What a browser does to a voice for calls would change its prosody.
  const PLAIN = { audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false } };

  class Microphone {
    // server: hear and finish of microphones.py. models: what `predict --json` says of them.
    constructor(element, server, models) {
      this.server = server;
      this.models = models;
      this.button = element.querySelector("button");
      this.level = element.querySelector("meter");
      this.status = element.querySelector("[role=status]");
      this.button.onclick = () => (this.context ? this.stop() : this.start());
    }

    async start() {
      this.button.disabled = true;
      try {
        if (!navigator.mediaDevices) throw new Error("the browser gives a microphone to this machine's own address or to HTTPS alone");
        this.stream = await navigator.mediaDevices.getUserMedia(PLAIN);
        this.context = new AudioContext();
        const module = URL.createObjectURL(new Blob([TAP], { type: "text/javascript" }));
        await this.context.audioWorklet.addModule(module);
        URL.revokeObjectURL(module);
      } catch (error) {
        this.end();
        return this.say(`No microphone: ${error.message}`);
      }
      Object.assign(this, { page: crypto.randomUUID(), waiting: [], held: 0, computing: 0, recorded: 0, failed: false });
      this.value = { models: this.models, recording: { file: "microphone", seconds: 0, windows: [], notes: [] }, live: true };
      const tap = new AudioWorkletNode(this.context, "tap");
      tap.port.onmessage = ({ data }) => this.take(data);
      this.context.createMediaStreamSource(this.stream).connect(tap);
      this.button.textContent = "Stop";
      this.button.disabled = false;
      this.say("Listening.");
    }

    take(blocks) {
      if (!this.context) return;
      for (const block of blocks) this.waiting.push(block), (this.held += block.length), (this.recorded += block.length);
      this.level.value = Math.max(...blocks.at(-1).map(Math.abs)) / 32767;
      this.arrived = performance.now();
      if (this.held >= BLOCK * this.context.sampleRate) this.send();
    }

    // Sends what waits, unless a block is under way; that one sends the rest.
    send() {
      this.sending ??= (async () => {
        try {
          while (this.held && !this.failed) await this.one();
        } catch (error) {
          this.failed = true;
          this.end();
          this.say(`The recording ended: ${error.message ?? error}`);
        } finally {
          this.sending = null;
        }
      })();
      return this.sending;
    }

    async one() {
      const samples = new Int16Array(this.held), { arrived } = this;
      this.waiting.reduce((at, block) => (samples.set(block, at), at + block.length), 0);
      [this.waiting, this.held] = [[], 0];
      const bytes = new Uint8Array(samples.buffer);
      let text = "";
      for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
      const answer = await this.server.hear(this.page, this.rate ?? this.context.sampleRate, btoa(text));
      if (answer.reason) throw new Error(answer.reason);
      if (!answer.windows.length) return;
      const { recording } = this.value;
      recording.windows.push(...answer.windows);
      recording.seconds = answer.seconds;
      window.avemotion.result.show(this.value);
      this.computing += answer.computing;
      this.report(answer, (performance.now() - arrived) / 1000);
    }

    report(answer, latency) {
      const { windows } = this.value.recording, last = windows.at(-1);
      const times = (last.end / this.computing).toFixed(last.end / this.computing < 10 ? 1 : 0);
      this.say(
        `${windows.length} window${windows.length > 1 ? "s" : ""} of ${Number((last.end - last.start).toFixed(2))} s. ` +
        `The last was on the page ${latency.toFixed(2)} s after its end, of which ${answer.computing.toFixed(2)} s for computation. ` +
        `All together: ${times} times as fast as real time.`,
      );
    }

    async stop() {
      this.button.disabled = true;
      this.rate = this.context.sampleRate;
      const { page } = this;
      this.end();
      while (this.held && !this.failed) await this.send();
      this.rate = null;
      const value = await this.server.finish(page);
      if (value?.reason) return this.say(value.reason);
      if (value) window.avemotion.result.show(value);
      else if (!this.failed) this.say("No window: the recording is too short.");
    }

    end() {
      this.stream?.getTracks().forEach((track) => track.stop());
      this.context?.close();
      this.stream = this.context = null;
      this.level.value = 0;
      this.button.textContent = "Record";
      this.button.disabled = false;
    }

    say(text) {
      this.status.textContent = text;
    }
  }

  window.avemotion.Microphone = Microphone;
})();
