// Run a TensorFlow.js model on one float32 tensor: node tfjs_run.js REQUEST.json
// The request: modules (folder with node_modules), kind (graph or layers), model (model.json's content),
// weights and input (raw files), shape (of the input), answer (folder for NAME.bin and outputs.json).
const fs = require("node:fs");
const path = require("node:path");
const { createRequire } = require("node:module");

const request = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const fromModules = createRequire(path.join(request.modules, "package.json"));
const tf = fromModules("@tensorflow/tfjs");
const wasm = fromModules("@tensorflow/tfjs-backend-wasm");

function floats(file) {
  const bytes = fs.readFileSync(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

function loader() {
  const bytes = fs.readFileSync(request.weights);
  return {
    load: async () => ({
      ...request.model,
      weightSpecs: request.model.weightsManifest.flatMap((group) => group.weights),
      weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
    }),
  };
}

async function main() {
  wasm.setWasmPaths(path.join(request.modules, "node_modules/@tensorflow/tfjs-backend-wasm/dist/"));
  await tf.setBackend("wasm");
  const input = tf.tensor(floats(request.input), request.shape);
  let outputs;
  if (request.kind === "graph") {
    const model = await tf.loadGraphModel(loader());
    const names = model.outputs.map((output) => output.name);
    outputs = [model.execute(input, names)].flat().map((tensor, index) => [names[index], tensor]);
  } else {
    const model = await tf.loadLayersModel(loader());
    outputs = [["output", model.predict(input)]];
  }
  const shapes = {};
  for (const [index, [name, tensor]] of outputs.entries()) {
    shapes[name] = { shape: tensor.shape, file: `${index}.bin` };
    fs.writeFileSync(path.join(request.answer, `${index}.bin`), Buffer.from((await tensor.data()).buffer.slice(0)));
  }
  fs.writeFileSync(path.join(request.answer, "outputs.json"), JSON.stringify(shapes));
}

main();
