// What happens, as it happens: from the stream that all tabs share, or one of our own where browsers cannot share.

import { open } from "./source.js";

export function listen(handlers) {
  const hear = ({ kind, value }) => handlers[kind](value);
  if (!window.SharedWorker) {
    open("devphone/events", hear);
    return;
  }
  const { port } = new SharedWorker("page/hub.js", { type: "module", name: "devphone" });
  port.onmessage = ({ data }) => hear(data);
  // A page that the browser keeps for its back button comes back as if it were new.
  addEventListener("pagehide", () => port.postMessage("bye"));
  addEventListener("pageshow", ({ persisted }) => persisted && port.postMessage("hello"));
}
