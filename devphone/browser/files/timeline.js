// The timeline: one line for each thing that happened, its bodies behind a click.

import { byId, make } from "./dom.js";

const KEPT = 1000;
const NAMES = { you: "You", service: "Service", vonage: "Vonage", callee: "Callee", scheduler: "Scheduler" };
const NEAR = 40;

let filterKey = null;
let last = 0;

export function start(onAll) {
  byId("all").onclick = onAll;
}

export function forget() {
  last = 0;
  byId("timeline").replaceChildren();
  byId("no-lines").hidden = false;
}

export function add(line) {
  if (line.line <= last) return;
  last = line.line;
  byId("no-lines").hidden = true;
  const scroll = byId("scroll");
  const follows = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR;
  const list = byId("timeline");
  list.append(entry(line));
  while (list.children.length > KEPT) list.firstElementChild.remove();
  if (follows) scroll.scrollTop = scroll.scrollHeight;
}

export function filter(key, name) {
  filterKey = key;
  byId("filter").hidden = key === null;
  byId("filtered").textContent = key === null ? "" : `Only ${name}`;
  for (const item of byId("timeline").children) item.hidden = isHidden(item.dataset.key);
  byId("scroll").scrollTop = byId("scroll").scrollHeight;
}

const isHidden = (key) => filterKey !== null && key !== filterKey;

function entry(line) {
  const item = make("li", { dataset: { key: line.key ?? "", who: line.from, line: line.line } });
  item.hidden = isHidden(item.dataset.key);
  if (line.is_fault) item.classList.add("fault");
  const head = [
    make("time", { dateTime: line.at, textContent: time(line.at), title: `${line.at_s} s` }),
    make("span", { className: "route", textContent: route(line) }),
    make("span", { className: "what" }, make("b", { textContent: line.words }), " ", make("span", { textContent: line.detail })),
    make("span", { className: "result", textContent: result(line) }),
  ];
  if (line.bodies.length === 0) {
    item.append(make("div", { className: "row" }, ...head));
    return item;
  }
  const bodies = line.bodies.map(({ name, value }) =>
    make("div", { className: "body" }, make("h3", { textContent: name }), make("pre", { textContent: pretty(value), tabIndex: 0 })));
  item.append(make("details", {}, make("summary", { className: "row" }, ...head), ...bodies));
  return item;
}

function time(at) {
  const date = new Date(at);
  const two = (number) => String(number).padStart(2, "0");
  const millis = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${millis}`;
}

const name = (who) => NAMES[who] ?? who;
const route = ({ from, to }) => `${name(from)} → ${name(to)}`;
const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

function result({ result: said, seconds }) {
  const parts = [];
  if (said !== null) parts.push(String(said));
  if (seconds !== null) parts.push(seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`);
  return parts.join(" · ");
}
