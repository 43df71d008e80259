// The phone's stream. The browser comes back by itself and says which line it saw last.

const AGAIN_MS = 2000;
const KINDS = ["settings", "call", "line"];

// Tells {kind, value} of each event, and {kind: "link", value} when the connection comes or goes.
export function open(url, tell, after = "") {
  const source = new EventSource(after ? `${url}?after=${after}` : url);
  let last = after;
  for (const kind of KINDS) {
    source.addEventListener(kind, (event) => {
      last = event.lastEventId || last;
      tell({ kind, value: JSON.parse(event.data) });
    });
  }
  source.onopen = () => tell({ kind: "link", value: true });
  source.onerror = () => {
    tell({ kind: "link", value: false });
    // After some errors it gives up for good.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => open(url, tell, last), AGAIN_MS);
  };
}
