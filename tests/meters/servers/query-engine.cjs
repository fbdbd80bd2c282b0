// Stands in for Prisma's query engine binary where none can be fetched: LiteLLM's proxy talks to
// its database through one. The engine proper is Prisma's own, as WebAssembly, from
// `@prisma/client`; this file gives it the binary's HTTP face, and turns prisma-client-py's GraphQL
// into Prisma's JSON protocol. Run as `query-engine.cjs -p PORT`; tests only.
"use strict";
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { createRequire } = require("node:module");

if (process.argv.includes("--version")) {
  console.log("query-engine 0000000000000000000000000000000000000000");
  process.exit(0);
}
const load = createRequire(path.join(process.env.COUNTERSIGN_TEST_ENGINE, "node_modules", "x.js"));
const TOKEN = /\s+|,|([{}()[\]:])|("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)/gy;

const LITERALS = { true: true, false: false, null: null };

function tokens(text) {
  const found = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) throw new Error(`no GraphQL at ${at}: ${text.slice(at, at + 40)}`);
    const [, mark, string, number, name] = match;
    if (mark) found.push({ mark });
    else if (string) found.push({ value: JSON.parse(string) });
    else if (number) found.push({ value: Number(number) });
    else if (name) found.push({ name });
  }
  return found;
}

class Reader {
  constructor(text) {
    this.rest = tokens(text);
    this.at = 0;
  }
  is(mark) {
    return this.rest[this.at]?.mark === mark;
  }
  take(mark) {
    if (!this.is(mark)) throw new Error(`expected ${mark} at token ${this.at}`);
    this.at += 1;
  }
  name() {
    return this.rest[this.at++].name;
  }
  fields(open, close, item) {
    const found = [];
    this.take(open);
    while (!this.is(close)) found.push(item());
    this.take(close);
    return found;
  }
  pair() {
    const token = this.rest[this.at++];
    this.take(":");
    return [token.name ?? token.value, this.value()];
  }
  value() {
    if (this.is("{")) return Object.fromEntries(this.fields("{", "}", () => this.pair()));
    if (this.is("[")) return this.fields("[", "]", () => this.value());
    const { value, name } = this.rest[this.at++];
    return name === undefined ? value : name in LITERALS ? LITERALS[name] : name;
  }
  field() {
    let name = this.name();
    if (this.is(":")) {
      this.take(":");
      name = this.name();
    }
    const given = this.is("(") ? this.fields("(", ")", () => this.pair()) : [];
    const chosen = this.is("{") ? this.fields("{", "}", () => this.field()) : null;
    const selection = chosen && Object.fromEntries(chosen.map((f) => [f.name, f.nested ?? true]));
    const nested = (selection || given.length) && {
      arguments: Object.fromEntries(given),
      selection: selection ?? {},
    };
    return { name, nested: nested || undefined };
  }
  operation() {
    this.name(); // query or mutation
    const [{ name, nested }] = this.fields("{", "}", () => this.field());
    return { name, query: nested ?? { arguments: {}, selection: {} } };
  }
}

const ACTION =
  /^(createOne|createMany|deleteOne|deleteMany|updateOne|updateMany|upsertOne|findManyX|findMany|findFirst|findUnique|aggregate|groupBy)(\w+?)(OrThrow)?$/;

function jsonProtocol(text, columns) {
  const { name, query } = new Reader(text).operation();
  if (name === "queryRaw" || name === "executeRaw") return { name, body: { action: name, query } };
  const [, action, modelName, orThrow = ""] = ACTION.exec(name);
  query.arguments = typed(query.arguments, columns.get(modelName));
  return { name, body: { modelName, action: action + orThrow, query } };
}

// In GraphQL the text of a JSON column is its JSON; in the JSON protocol it must say so.
function typed(value, columns) {
  if (Array.isArray(value)) return value.map((item) => typed(item, columns));
  if (value === null || typeof value !== "object") return value;
  const said = ([key, item]) => [key, columns.has(key) ? json(item) : typed(item, columns)];
  return Object.fromEntries(Object.entries(value).map(said));
}

function json(value) {
  if (typeof value === "string") return { $type: "Json", value };
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, json(item)]));
}

function jsonColumns(schema) {
  const models = [...schema.matchAll(/^model (\w+) \{(.*?)^\}/gms)];
  const names = (body) => [...body.matchAll(/^\s*(\w+)\s+Json\b/gm)].map((match) => match[1]);
  return new Map(models.map(([, model, body]) => [model, new Set(names(body))]));
}

// The binary answers plain values where the JSON protocol says their types.
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  if ("$type" in value) return value.value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

function answered(reply, name) {
  if (reply.errors?.length) return { errors: reply.errors };
  return { data: { result: plain(reply.data[name] ?? Object.values(reply.data)[0] ?? null) } };
}

async function engine(schema) {
  const { Pool } = load("pg");
  const { PrismaPg } = load("@prisma/adapter-pg");
  const { bindAdapter } = load("@prisma/driver-adapter-utils");
  const glue = load("@prisma/client/runtime/query_engine_bg.postgresql.js");
  const code = load.resolve("@prisma/client/runtime/query_engine_bg.postgresql.wasm");
  const built = await WebAssembly.instantiate(fs.readFileSync(code), { "./query_engine_bg.js": glue });
  glue.__wbg_set_wasm(built.instance.exports);
  const pool = new Pool({ connectionString: process.env.DATABASE_URL.split("?")[0], max: 5 });
  const options = {
    datamodel: schema,
    logLevel: "error",
    logQueries: false,
    ignoreEnvVarErrors: true,
    datasourceOverrides: {},
    env: process.env,
    configDir: ".",
    engineProtocol: "json",
  };
  const made = new glue.QueryEngine(options, () => {}, bindAdapter(new PrismaPg(pool)));
  await made.connect("{}");
  return made;
}

async function asked(made, columns, { url, body, transaction }) {
  const tx = url.match(/^\/transaction\/(start|([^/]+)\/(commit|rollback))$/);
  if (tx?.[1] === "start") return JSON.parse(await made.startTransaction(body, "{}"));
  if (tx?.[3] === "commit") return JSON.parse(await made.commitTransaction(tx[2], "{}"));
  if (tx?.[3] === "rollback") return JSON.parse(await made.rollbackTransaction(tx[2], "{}"));
  const ask = JSON.parse(body);
  if (!ask.batch) {
    const { name, body: query } = jsonProtocol(ask.query, columns);
    return answered(JSON.parse(await made.query(JSON.stringify(query), "{}", transaction)), name);
  }
  const parts = ask.batch.map((item) => jsonProtocol(item.query, columns));
  const whole = { batch: parts.map((part) => part.body), transaction: ask.transaction ? {} : undefined };
  const reply = JSON.parse(await made.query(JSON.stringify(whole), "{}", transaction));
  if (reply.errors?.length) return { errors: reply.errors };
  return { batchResult: reply.batchResult.map((item, n) => answered(item, parts[n].name)) };
}

async function main() {
  const schema = fs.readFileSync(process.env.PRISMA_DML_PATH, "utf8");
  const made = await engine(schema);
  const columns = jsonColumns(schema);
  const server = http.createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts).toString();
    let reply = {};
    try {
      if (request.method === "POST") {
        const transaction = request.headers["x-transaction-id"];
        reply = await asked(made, columns, { url: request.url, body, transaction });
      }
    } catch (error) {
      console.error("query engine:", error.message, body.slice(0, 2000));
      reply = { errors: [{ error: String(error.message), user_facing_error: { message: String(error.message) } }] };
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(reply));
  });
  server.listen(Number(process.argv[process.argv.indexOf("-p") + 1]), "localhost");
}

main().catch((error) => {
  console.error("query engine:", error);
  process.exit(1);
});
