// Takes the steps with the TypeScript SDK's client, and prints what came of each as one JSON document.
// Arguments: the folder of the packages, the file of the steps, the mode of the client, a URL or a command and its words.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, stepsFile, mode, ...target] = process.argv.slice(2);
const load = (file) => import(pathToFileURL(`${folder}/node_modules/@modelcontextprotocol/client/dist/${file}`).href);
const { Client, StreamableHTTPClientTransport } = await load("index.mjs");
const { StdioClientTransport } = await load("stdio.mjs");

const heard = {};
const note = (what) => {
  heard[what] = (heard[what] ?? 0) + 1;
};
const client = new Client(
  { name: "compare", version: "1" },
  {
    capabilities: { sampling: {}, elicitation: { form: {} }, roots: {} },
    versionNegotiation: { mode },
  },
);
client.setRequestHandler("sampling/createMessage", async (request) => {
  note("asked sampling/createMessage");
  return { role: "assistant", model: "none", content: { type: "text", text: JSON.stringify(request.params.messages) } };
});
client.setRequestHandler("elicitation/create", async (request) => {
  note("asked elicitation/create");
  return { action: "accept", content: { name: request.params.message, check: true } };
});
client.setRequestHandler("roots/list", async () => ({ roots: [{ uri: "file:///somewhere", name: "somewhere" }] }));
client.fallbackNotificationHandler = async (notification) => note(`heard ${notification.method}`);

const options = { onprogress: (progress) => note(`progress ${progress.progress} of ${progress.total}`) };
const take = {
  server: async () => ({
    info: client.getServerVersion(),
    capabilities: client.getServerCapabilities(),
    instructions: client.getInstructions(),
  }),
  tools: () => client.listTools(),
  resources: () => client.listResources(),
  templates: () => client.listResourceTemplates(),
  prompts: () => client.listPrompts(),
  ping: () => client.ping(),
  level: (level) => client.setLoggingLevel(level),
  call: (name, args) => client.callTool({ name, arguments: args }, options),
  read: (uri) => client.readResource({ uri }),
  subscribe: (uri) => client.subscribeResource({ uri }),
  unsubscribe: (uri) => client.unsubscribeResource({ uri }),
  prompt: (name, args) => client.getPrompt({ name, arguments: args }),
  complete: (ref, argument) => client.complete({ ref, argument }),
};

const url = target.length === 1;
await client.connect(
  url
    ? new StreamableHTTPClientTransport(new URL(target[0]))
    : new StdioClientTransport({ command: target[0], args: target.slice(1), env: process.env, stderr: "ignore" }),
);
await new Promise((resolve) => setTimeout(resolve, 1000)); // the server asks for the roots a little later
const found = [];
for (const [kind, ...words] of JSON.parse(readFileSync(stepsFile, "utf8"))) {
  try {
    found.push({ result: await take[kind](...words) });
  } catch (error) {
    found.push({ error: { code: error.code ?? null, message: error.message, data: error.data ?? null } });
  }
}
await client.close();
process.stdout.write(JSON.stringify({ found, heard }), () => process.exit(0));
