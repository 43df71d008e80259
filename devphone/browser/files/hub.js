// One stream for all tabs, as browsers open no more than six connections to a server. Who comes later is told all of it.

import { open } from "./source.js";

const LINES = 1000;

const ports = new Set();
const calls = new Map();
let lines = [];
let settings = null;
let settledAt = 0;
let isUp = null;

function hear(message) {
  keep(message);
  for (const port of ports) port.postMessage(message);
}

function keep({ kind, value }) {
  if (kind === "link") isUp = value;
  if (kind === "call") calls.set(value.key, value);
  if (kind === "line" && value.line > (lines.at(-1)?.line ?? 0)) lines = [...lines.slice(1 - LINES), value];
  if (kind !== "settings") return;
  if (settings !== null && settings.run !== value.run) {
    calls.clear();
    lines = [];
  }
  settings = value;
  settledAt = performance.now();
}

function greet(port) {
  ports.add(port);
  if (settings !== null) {
    const gone = ((performance.now() - settledAt) / 1000) * settings.speed;
    port.postMessage({ kind: "settings", value: { ...settings, now_s: settings.now_s + gone } });
  }
  for (const value of calls.values()) port.postMessage({ kind: "call", value });
  for (const value of lines) port.postMessage({ kind: "line", value });
  if (isUp !== null) port.postMessage({ kind: "link", value: isUp });
}

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => (data === "bye" ? ports.delete(port) : greet(port));
  greet(port);
};

open("../devphone/events", hear);
