/** A statically imported .wasm is a compiled module; the runtime refuses to compile bytes while it runs. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
