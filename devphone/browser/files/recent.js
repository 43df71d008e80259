// The list of calls and what came of them.

import * as calls from "./calls.js";
import { byId, make } from "./dom.js";

const SHOWN = 50;

export function render(onSelect) {
  const list = byId("calls");
  const shown = calls.newestFirst().slice(0, SHOWN);
  const focused = document.activeElement?.closest("#calls button")?.dataset.key;
  list.replaceChildren(...shown.map((call) => item(call, onSelect)));
  [...list.querySelectorAll("button")].find((button) => button.dataset.key === focused)?.focus();
  byId("no-calls").hidden = shown.length > 0;
}

function item(call, onSelect) {
  const said = calls.outcome(call);
  const mark = make("span", { className: "mark", textContent: said?.mark ?? "…" });
  mark.setAttribute("aria-hidden", "true");
  const words = make("span", { className: "words" });
  words.append(make("b", { textContent: call.to }), " ", make("span", { className: "said", textContent: said ? said.status : progress(call) }));
  if (said) words.append(make("small", { textContent: said.details }));
  if (call.tid) words.append(make("small", { className: "tid", textContent: call.tid }));
  const button = make("button", { type: "button", dataset: { key: call.key, status: said?.status ?? "" } }, mark, words);
  button.setAttribute("aria-pressed", String(call === calls.selected()));
  button.onclick = () => onSelect(call);
  return make("li", {}, button);
}

function progress(call) {
  const words = { asked: "no clear answer yet", ringing: "rings", talking: "talks" };
  return words[calls.phase(call)] ?? `${calls.ending(call.leg.status).toLowerCase()}, no callback yet`;
}
