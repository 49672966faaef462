/** How a call of a provider is admitted: `enterGate` before it, `leaveGate` after it, whatever became of it. */
import { objectNamed } from "../stub.ts";
import type { Entered, Entry, Gate } from "./object.ts";

export type { Entered, Entry } from "./object.ts";

type Gates = DurableObjectNamespace<Gate>;

export interface GateName {
  workspaceId: string;
  mode: "live" | "test";
  provider: string;
}

/** A stub that has failed may stay broken: each call takes a new one. */
function gate(gates: Gates, { workspaceId, mode, provider }: GateName): DurableObjectStub<Gate> {
  return objectNamed(gates, `${workspaceId} ${mode} ${provider}`, {});
}

/** A place, or when to come back. `holder` names the work, not the attempt: a job that is run again finds its own place. */
export async function enterGate(gates: Gates, name: GateName, entry: Entry): Promise<Entered> {
  return await gate(gates, name).enter(entry);
}

/** False: the place had lapsed. Whoever waits and gives up leaves, too. */
export async function leaveGate(gates: Gates, name: GateName, holder: string): Promise<boolean> {
  return await gate(gates, name).leave({ holder });
}
