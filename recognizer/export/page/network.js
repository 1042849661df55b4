// Networks on LiteRT.js.

import { loadAndCompile, loadLiteRt, Tensor } from "./vendor/litert/index.js";

const RUNTIME = "./vendor/litert/wasm/";

let loading = null;

// Loads the runtime once. Threads need a page that is isolated from others, which the service worker makes it.
const load = () => (loading ??= loadLiteRt(RUNTIME, { threads: self.crossOriginIsolated }));

// A network whose inputs and outputs are Float32Arrays. Its input has one fixed shape.
export class Network {
  // `content`: the bytes of a .tflite file. `names`: of the outputs, in their order.
  static async open(content, names) {
    await load();
    return new Network(await loadAndCompile(content, { accelerator: "wasm" }), names);
  }

  constructor(model, names) {
    Object.assign(this, { model, names, shape: [...model.getInputDetails()[0].shape] });
  }

  async run(values) {
    const input = new Tensor(values, this.shape);
    const outputs = await this.model.run(input);
    const results = outputs.map((output) => output.toTypedArray().slice());
    for (const tensor of [input, ...outputs]) tensor.delete();
    return results;
  }

  // The outputs by name.
  async named(values) {
    return Object.fromEntries((await this.run(values)).map((output, index) => [this.names[index], output]));
  }
}
