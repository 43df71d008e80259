// Place a call with Node 18 or newer, no packages: set BASE_URL, VONAGE_JWT, CALLBACK, TO, FROM.
import { randomUUID } from "node:crypto";

const { BASE_URL, VONAGE_JWT, CALLBACK, TO, FROM } = process.env;
const response = await fetch(`${BASE_URL}/call`, {
  method: "POST",
  headers: {
    Authorization: `Bearer ${VONAGE_JWT}`,
    "Content-Type": "application/json",
    "Idempotency-Key": randomUUID(), // keep it, and send the same again if you get no answer
  },
  body: JSON.stringify({
    to: TO,
    from: FROM,
    text: "This is the on-call desk. Enter your PIN, please.",
    pin_code: "1234",
    callback: CALLBACK,
  }),
});
console.log(JSON.stringify(await response.json()));
process.exitCode = response.ok ? 0 : 1;
