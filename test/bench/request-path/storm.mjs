/** The crowd that signs in at once, on a thread of its own: the launching of fifty requests must not count as waiting of others. */
import { Agent, request } from "node:http";
import { parentPort } from "node:worker_threads";

parentPort?.on("message", async ({ url, crowd }) => {
  const agent = new Agent({ keepAlive: true, maxSockets: crowd.length });
  const statuses = await Promise.all(crowd.map((person) => signIn(agent, url, person)));
  agent.destroy();
  parentPort?.postMessage(statuses);
});

function signIn(agent, url, { body, address }) {
  const headers = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "cf-connecting-ip": address,
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(`${url}/v1/auth/login`, { agent, method: "POST", headers }, (answer) => {
      answer.resume();
      answer.once("end", () => resolve(answer.statusCode));
    });
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}
