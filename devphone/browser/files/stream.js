// What happens, as it happens. The browser comes back by itself and says which line it saw last.

export function listen({ onSettings, onCall, onLine, onLink }) {
  const source = new EventSource("devphone/events");
  const hear = (kind, handler) => source.addEventListener(kind, (event) => handler(JSON.parse(event.data)));
  hear("settings", onSettings);
  hear("call", onCall);
  hear("line", onLine);
  source.onopen = () => onLink(true);
  source.onerror = () => onLink(false);
}
