/**
 * Shapes of zod, made when they are first asked for. Making all of them costs more than anything else that a Worker does before its
 * first answer, and that answer needs those of one operation.
 */
import type * as z from "zod";

export type Shape<Type extends z.ZodType = z.ZodType> = () => Type;

/**
 * Stands for the shape of each answer in a deployed Worker (scripts/deployed-source.ts): only `CHECK_RESPONSES` asks for one, and that is for
 * development and tests.
 */
export const undeployed: Shape = () => {
  throw new Error("CHECK_RESPONSES is on, and the shapes of answers are not deployed.");
};

/** What a shape makes of its input. */
export type Output<Of extends Shape> = z.output<ReturnType<Of>>;

/**
 * Give it a name of its own: in the middle of an `endpoint({...})` the compiler loses its type.
 *
 * @example
 * export const fileShape = shape(() => z.object({ id: z.string(), kind: kindShape() }).meta({ id: "File" }));
 */
export function shape<Type extends z.ZodType>(make: () => Type): Shape<Type> {
  let made: Type | undefined;
  return () => (made ??= make());
}
