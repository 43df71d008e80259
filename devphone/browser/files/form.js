// The form for `POST /call`: sends what is filled in, and shows each fault at its field.

import { post } from "./api.js";
import { byId, make, setText } from "./dom.js";

const STORE = "order";

export function start(onPlaced) {
  const form = byId("order");
  for (const input of form.elements) if (input.name) prepare(input);
  restore(form);
  form.addEventListener("input", keep);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    byId("place").disabled = true;
    await place(read(form), onPlaced);
    byId("place").disabled = false;
  });
}

// A test number goes into the form with the codes that its script knows; the next step is the button.
export function fill(number, what, { pin, reject_code }) {
  const { elements } = byId("order");
  clear();
  elements.to.value = number;
  elements.pin_code.value = pin;
  elements.reject_code.value = reject_code;
  keep();
  setText(byId("order-status"), `${number}: ${what}.`);
  byId("place").focus();
}

async function place(fields, onPlaced) {
  clear();
  setText(byId("order-status"), "Asking…");
  const { ok, status, body } = await post("devphone/call", fields, { "Idempotency-Key": crypto.randomUUID() });
  if (ok) {
    setText(byId("order-status"), body?.tid ? "Placed." : "Dry run: nobody is called. The answer is on the timeline.");
    if (body?.tid) onPlaced(body.tid);
    return;
  }
  show(status, body ?? {});
}

function read(form) {
  const fields = {};
  for (const input of form.elements) if (input.name && input.value !== "") fields[input.name] = typed(input);
  return fields;
}

// What cannot be a number goes out as it is: the service says what is wrong with it.
function typed({ value, dataset: { type } }) {
  if (type === "number" && /^-?\d+$/.test(value)) return Number(value);
  return type === "truth" ? value === "true" : value;
}

function keep() {
  sessionStorage.setItem(STORE, JSON.stringify(Object.fromEntries(new FormData(byId("order")))));
}

function prepare(input) {
  const fault = make("p", { id: `${input.id}-fault`, className: "fault", hidden: true });
  input.after(fault);
}

function clear() {
  for (const input of byId("order").elements) {
    if (!input.name) continue;
    input.removeAttribute("aria-invalid");
    input.removeAttribute("aria-describedby");
    byId(`${input.id}-fault`).hidden = true;
  }
}

function show(status, problem) {
  const others = [];
  const inputs = [];
  for (const { field, message } of problem.errors ?? []) {
    const input = byId(`f-${field}`);
    if (!input) {
      others.push(`${field}: ${message}`);
      continue;
    }
    const fault = byId(`${input.id}-fault`);
    setText(fault, message);
    fault.hidden = false;
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", fault.id);
    if (input.closest("details")) input.closest("details").open = true;
    inputs.push(input);
  }
  inputs[0]?.focus();
  const head = [status || "", problem.title ?? "Refused"].filter(Boolean).join(" ");
  // What stands at the fields, or in the title, is not said again.
  const detail = inputs.length || problem.title === problem.detail ? "" : problem.detail;
  setText(byId("order-status"), [`${head}.`, detail, ...others].filter(Boolean).join(" "));
}

function restore(form) {
  form.elements.callback.value = `http://127.0.0.1:${location.port}/callback`;
  const kept = JSON.parse(sessionStorage.getItem(STORE) ?? "{}");
  for (const [name, value] of Object.entries(kept)) if (form.elements[name]) form.elements[name].value = value;
}
