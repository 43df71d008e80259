// All calls, as the phone last described them, and the one that is looked at.

const MARKS = { ok: "✓", failed: "✕", error: "!" };
const calls = new Map();
let selectedKey = null;

export function forget() {
  calls.clear();
  selectedKey = null;
}

// Takes a call in; returns what it was before.
export function update(call) {
  const before = calls.get(call.key);
  calls.set(call.key, call);
  if (!before && isUnderWay(call)) {
    const current = selected();
    if (!current || !isUnderWay(current)) selectedKey = call.key;
  }
  return before;
}

export const select = (key) => { selectedKey = key; };
export const selected = () => calls.get(selectedKey);
export const newestFirst = () => [...calls.values()].sort((a, b) => b.at_s - a.at_s);
export const underWay = () => newestFirst().filter(isUnderWay).reverse();
export const isUnderWay = (call) => phase(call) === "ringing" || phase(call) === "talking";
export const ringsHere = (call) => phase(call) === "ringing" && call.leg.person;

// asked: Vonage has not taken it, or never will; then ringing, talking, over.
export function phase({ leg }) {
  if (!leg) return "asked";
  if (leg.ended_s !== null) return "over";
  return leg.answered_s === null ? "ringing" : "talking";
}

export function outcome({ outcome: said, tries }) {
  if (!said) return null;
  const signature = { true: "signature verified", false: "signature wrong", null: "signature not checked" }[said.verified];
  const details = [said.reason, said.answered_by && `answered by a ${said.answered_by}`, signature];
  if (tries > 1) details.push(`${tries} tries`);
  if (!said.taken) details.push("refused, to be tried again");
  return { status: said.status, mark: MARKS[said.status] ?? "?", details: details.filter(Boolean).join(" · ") };
}

// How the call ended for the telephone, in words.
export function ending(status) {
  const words = {
    completed: "Call over",
    busy: "Busy",
    timeout: "Nobody answered",
    rejected: "Rejected",
    cancelled: "Cancelled",
    unanswered: "Nobody answered",
    failed: "Not reached",
  };
  return words[status] ?? status;
}
