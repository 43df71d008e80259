// Receive the outcome with Node 18 or newer, no packages: set PORT, and SIGNING_KEY to whpk_… (GET / shows it) or whsec_….
import { createHmac, createPublicKey, timingSafeEqual, verify } from "node:crypto";
import { createServer } from "node:http";

const [kind, encoded] = process.env.SIGNING_KEY.trim().split("_");
const key = Buffer.from(encoded, "base64");
const seen = new Set(); // in real life: your database, with the tids that you were given

function isSignature(signed, version, given) {
  const jwk = { kty: "OKP", crv: "Ed25519", x: key.toString("base64url") };
  if (kind === "whpk") return version === "v1a" && verify(null, signed, createPublicKey({ key: jwk, format: "jwk" }), given);
  const expected = createHmac("sha256", key).update(signed).digest();
  return version === "v1" && given.length === expected.length && timingSafeEqual(given, expected);
}

function isOurs({ "webhook-id": id, "webhook-timestamp": at, "webhook-signature": signatures = "" }, body) {
  if (!(Math.abs(Date.now() / 1000 - Number(at)) <= 300)) return false;
  const signed = Buffer.concat([Buffer.from(`${id}.${at}.`), body]);
  const entries = signatures.split(" ").map((entry) => entry.split(",")); // one for each of the service's keys
  return entries.some(([version, given = ""]) => isSignature(signed, version, Buffer.from(given, "base64")));
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
