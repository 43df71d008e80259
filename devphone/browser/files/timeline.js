// The timeline: one line for each thing that happened, its bodies behind a click.

import { byId, make, setText } from "./dom.js";

const KEPT = 1000;
const NAMES = { you: "You", service: "Service", vonage: "Vonage", callee: "Callee", scheduler: "Scheduler" };
const NEAR = 40;

let onlyKey = null;
let words = [];
let last = 0;
let unseen = 0;

export function start(onAll) {
  byId("all").onclick = onAll;
  byId("newer").onclick = toTheEnd;
  byId("find").addEventListener("input", (event) => {
    words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    applyFilter();
  });
  byId("scroll").addEventListener("scroll", () => isAtTheEnd() && sawAll());
}

export function forget() {
  last = 0;
  sawAll();
  byId("timeline").replaceChildren();
  byId("no-lines").hidden = false;
}

// Follows what comes, unless the reader has scrolled up or has a line open.
export function add(line) {
  if (line.line <= last) return;
  last = line.line;
  byId("no-lines").hidden = true;
  const list = byId("timeline");
  const follows = isAtTheEnd() && !list.querySelector("details[open]");
  const item = entry(line);
  list.append(item);
  while (list.children.length > KEPT) list.firstElementChild.remove();
  if (follows) toTheEnd();
  else if (!item.hidden) showUnseen(unseen + 1);
}

// Shows one call alone, or all of them.
export function filter(key, name) {
  onlyKey = key;
  byId("filter").hidden = key === null;
  setText(byId("filtered"), key === null ? "" : `Only ${name}`);
  applyFilter();
}

function applyFilter() {
  for (const item of byId("timeline").children) item.hidden = isHidden(item);
  toTheEnd();
}

function isHidden(item) {
  if (onlyKey !== null && item.dataset.key !== onlyKey) return true;
  if (words.length === 0) return false;
  const text = `${item.dataset.key} ${item.textContent}`.toLowerCase();
  return !words.every((word) => text.includes(word));
}

function isAtTheEnd() {
  const scroll = byId("scroll");
  return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR;
}

function toTheEnd() {
  byId("scroll").scrollTop = byId("scroll").scrollHeight;
  sawAll();
}

const sawAll = () => showUnseen(0);

function showUnseen(count) {
  unseen = count;
  byId("newer").hidden = count === 0;
  setText(byId("newer"), count === 1 ? "1 new line ↓" : `${count} new lines ↓`);
}

// An opened line is moved into sight, its head at least.
function reveal(item) {
  const scroll = byId("scroll");
  const box = scroll.getBoundingClientRect();
  const { top, bottom } = item.getBoundingClientRect();
  if (bottom > box.bottom) scroll.scrollTop += Math.min(bottom - box.bottom, top - box.top);
}

function entry(line) {
  const item = make("li", { dataset: { key: line.key ?? "", from: line.from, line: line.line } });
  if (line.is_fault) item.classList.add("fault");
  const head = [
    make("time", { dateTime: line.at, textContent: time(line.at), title: `${line.at_s} s` }),
    make("span", { className: "route", textContent: `${NAMES[line.from]} → ${NAMES[line.to]}` }),
    make("span", { className: "what" }, make("b", { textContent: line.words }), " ", make("span", { textContent: line.detail, dir: "auto" })),
    make("span", { className: "result", textContent: result(line) }),
  ];
  if (line.bodies.length === 0) {
    item.append(make("div", { className: "row" }, ...head));
  } else {
    const details = make("details", {}, make("summary", { className: "row" }, ...head));
    if (line.key) details.append(body("tid", line.key));
    details.append(...line.bodies.map(({ name, value }) => body(name, value)));
    details.addEventListener("toggle", () => details.open && reveal(item));
    item.append(details);
  }
  item.hidden = isHidden(item);
  return item;
}

function body(name, value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return make("div", { className: "body" }, make("h3", { textContent: name }), make("pre", { textContent: text, tabIndex: 0, dir: "auto" }));
}

function time(at) {
  const date = new Date(at);
  const two = (number) => String(number).padStart(2, "0");
  const millis = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${millis}`;
}

function result({ is_fault: isFault, result: said, seconds }) {
  const parts = [];
  if (said !== null) parts.push(isFault ? `✕ ${said}` : String(said));
  if (seconds !== null) parts.push(seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`);
  return parts.join(" · ");
}
