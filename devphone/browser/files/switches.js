// Faults that can be switched on, and the sweep.

import { post } from "./api.js";
import { byId, setText } from "./dom.js";

const boxes = (kind) => [...byId("switches").querySelectorAll(`[data-${kind}]`)];

export function start() {
  byId("switches").addEventListener("change", send);
  byId("sweep").onclick = sweep;
}

export function render({ faults, habits, rate }) {
  for (const box of boxes("rate")) box.checked = rate !== null;
  for (const box of boxes("fault")) box.checked = faults[box.dataset.fault] > 0;
  for (const box of boxes("habit")) box.checked = habits.includes(box.dataset.habit);
  const count = boxes("fault").concat(boxes("rate"), boxes("habit")).filter((box) => box.checked).length;
  setText(byId("faults-on"), count ? `${count} on` : "none");
}

function send() {
  const faults = Object.fromEntries(boxes("fault").map((box) => [box.dataset.fault, box.checked ? Number(box.value) : 0]));
  const habits = boxes("habit").filter((box) => box.checked).map((box) => box.dataset.habit);
  const [rate = null] = boxes("rate").filter((box) => box.checked).map((box) => Number(box.value));
  post("devphone/switches", { faults, habits, rate });
}

async function sweep() {
  byId("sweep").disabled = true;
  const { ok, body } = await post("devphone/sweep");
  byId("sweep").disabled = false;
  setText(byId("sweep-status"), ok ? counted(body) : body.detail ?? "The sweep failed.");
}

function counted(counts) {
  const parts = Object.entries(counts).filter(([, count]) => count).map(([name, count]) => `${count} ${name}`);
  return parts.length ? `Swept: ${parts.join(", ")}.` : "Swept: nothing was due.";
}
