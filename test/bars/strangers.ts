/** Calls as people who have not signed in make them, each from a network address of its own, as far as the limits are concerned. */
export interface Answer {
  status: number;
  headers: [name: string, value: string][];
  text: string;
  /** From the first byte sent to the last one read, in milliseconds. */
  tookMs: number;
}

/**
 * Network addresses that limits count apart, each given out `uses` times in turn: as many addresses as an attacker needs, and no more
 * counters than that. Locally the runtime believes the header; the platform writes it itself.
 */
export function makeAddresses(network: number, uses: number): () => string {
  let given = 0;
  return () => {
    const index = Math.floor(given / uses);
    given += 1;
    return `10.${network}.${Math.floor(index / 250) % 250}.${(index % 250) + 1}`;
  };
}

export async function post(url: string, body: unknown, from: string): Promise<Answer> {
  const begun = performance.now();
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", "cf-connecting-ip": from },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(120_000),
  });
  const text = await response.text();
  return { status: response.status, headers: [...response.headers], text, tookMs: performance.now() - begun };
}
