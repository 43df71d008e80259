// Receive the outcome with Node 18 or newer, no packages: set SIGNING_SECRET (whsec_…) and PORT.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const key = Buffer.from(process.env.SIGNING_SECRET.replace("whsec_", ""), "base64");
const seen = new Set(); // in real life: your database, with the tids that you were given

function isOurs(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": at, "webhook-signature": signatures = "" } = headers;
  if (Math.abs(Date.now() / 1000 - Number(at)) > 300) return false;
  const expected = createHmac("sha256", key).update(`${id}.${at}.`).update(body).digest();
  return signatures.split(" ").some((entry) => {
    const given = Buffer.from(entry.replace("v1,", ""), "base64");
    return entry.startsWith("v1,") && given.length === expected.length && timingSafeEqual(given, expected);
  });
}

createServer(async (request, response) => {
  const pieces = [];
  try {
    for await (const piece of request) pieces.push(piece);
  } catch {
    return response.destroy(); // it broke off; it will come again
  }
  const body = Buffer.concat(pieces); // the very bytes: a character may lie across two pieces
  if (!isOurs(request.headers, body)) return response.writeHead(401).end();
  if (!seen.has(request.headers["webhook-id"])) {
    seen.add(request.headers["webhook-id"]); // it may come more than once
    const json = request.headers["content-type"].startsWith("application/json");
    const fields = json ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body.toString()));
    console.log(fields.status === "ok" ? "confirmed" : "not confirmed", fields.tid, fields.reason);
  }
  response.writeHead(204).end();
}).listen(Number(process.env.PORT ?? 5000), "127.0.0.1");
