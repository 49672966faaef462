/** How every client reaches an object: by name, and placed near its first user when the caller knows where that is. */

/** Only the very first access to an object decides where it lives; afterwards the hint is ignored. */
export interface Placement {
  locationHint?: DurableObjectLocationHint;
}

export function objectNamed<T extends Rpc.DurableObjectBranded>(
  namespace: DurableObjectNamespace<T>,
  name: string,
  placement: Placement,
): DurableObjectStub<T> {
  const { locationHint } = placement;
  return namespace.getByName(name, locationHint ? { locationHint } : {});
}
