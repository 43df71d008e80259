// Requests to the phone, which passes on to the service what is for the service.

export async function post(path, body, headers = {}) {
  const options = { method: "POST", headers: { "Content-Type": "application/json", ...headers } };
  if (body !== undefined) options.body = JSON.stringify(body);
  try {
    const response = await fetch(path, options);
    const text = await response.text();
    return { ok: response.ok, status: response.status, body: parsed(text) };
  } catch {
    return { ok: false, status: 0, body: { title: "No answer", detail: "The dev phone does not answer. Is it running?" } };
  }
}

let done = Promise.resolve();

// What the hand does arrives in its order: each waits for the one before.
export function act(call, action, body) {
  done = done.then(() => post(`devphone/calls/${encodeURIComponent(call.uuid)}/${action}`, body));
  return done;
}

function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return { detail: text };
  }
}
