// Runs a Node.js handler for the laptop's Lambda: takes invocations from the Lambda Runtime API one after another. What
// the handler prints goes to the function's log. The process ends with the server, whose pipe is its standard input.

import { existsSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const env = process.env;
const [host, port] = env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

process.stdin.on("end", () => process.exit(1)).resume();
process.stdin.unref?.();

function ask(method, where, body, kind) {
  return new Promise((resolve) => {
    const headers = kind ? { "Lambda-Runtime-Function-Error-Type": kind } : {};
    const request = http.request({ host, port, agent, method, path: `/2018-06-01/runtime/${where}`, headers }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve({ headers: answer.headers, body: Buffer.concat(parts).toString() }));
    });
    // Without the server there is nothing left to do.
    request.on("error", () => process.exit(1));
    request.end(body);
  });
}

function failureOf(error) {
  const known = error instanceof Error;
  const failed = {
    errorType: known ? error.name : typeof error,
    errorMessage: known ? error.message : String(error),
    trace: known ? String(error.stack).split("\n") : [],
  };
  console.error(`${failed.errorType}: ${failed.errorMessage}\n${failed.trace.slice(1).join("\n")}`);
  return failed;
}

function refuse(errorType, errorMessage) {
  const error = new Error(errorMessage);
  error.name = errorType;
  return error;
}

async function load(name) {
  const dot = name.lastIndexOf(".");
  if (dot < 1) throw refuse("Runtime.MalformedHandlerName", "Bad handler");
  const stem = path.resolve(env.LAMBDA_TASK_ROOT, name.slice(0, dot));
  const file = ["", ".js", ".mjs", ".cjs"].map((ending) => stem + ending).find((file) => existsSync(file) && path.extname(file));
  if (!file) throw refuse("Runtime.ImportModuleError", `Error: Cannot find module '${name.slice(0, dot)}'`);
  let module;
  try {
    module = file.endsWith(".cjs") ? createRequire(import.meta.url)(file) : await import(pathToFileURL(file));
  } catch (error) {
    if (error instanceof SyntaxError) throw refuse("Runtime.UserCodeSyntaxError", `SyntaxError: ${error.message}`);
    if (error?.code === "ERR_MODULE_NOT_FOUND" || error?.code === "MODULE_NOT_FOUND") {
      throw refuse("Runtime.ImportModuleError", `Error: ${error.message}`);
    }
    throw error;
  }
  const steps = name.slice(dot + 1);
  const handler = module[steps] ?? module.default?.[steps];
  if (handler === undefined) throw refuse("Runtime.HandlerNotFound", `${name} is undefined or not exported`);
  if (typeof handler !== "function") throw refuse("Runtime.HandlerNotFound", `${name} is not a function`);
  return handler;
}

function contextOf(headers, callback) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  return {
    callbackWaitsForEmptyEventLoop: true,
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: JSON.parse(headers["lambda-runtime-client-context"] ?? "null") ?? undefined,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    succeed: (result) => callback(null, result),
    fail: (error) => callback(error ?? "handled", null),
    done: callback,
  };
}

function call(handler, event, headers) {
  return new Promise((resolve, reject) => {
    const callback = (error, result) => (error ? reject(error) : resolve(result));
    const returned = handler(event, contextOf(headers, callback), callback);
    if (typeof returned?.then === "function") returned.then(resolve, reject);
    // A handler that takes no callback and gives no promise has nothing more to say.
    else if (returned !== undefined || handler.length < 2) resolve(returned);
  });
}

// Output belongs to the invocation that made it.
const flushed = () => new Promise((resolve) => process.stdout.write("", () => process.stderr.write("", resolve)));

let handler;
try {
  handler = await load(env._HANDLER);
} catch (error) {
  const failed = failureOf(error);
  await ask("POST", "init/error", JSON.stringify(failed), failed.errorType);
  process.exit(1);
}
for (;;) {
  const { headers, body } = await ask("GET", "invocation/next");
  const id = headers["lambda-runtime-aws-request-id"];
  env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"] ?? "";
  let answer, failed;
  try {
    answer = JSON.stringify((await call(handler, JSON.parse(body), headers)) ?? null);
  } catch (error) {
    failed = failureOf(error);
  }
  await flushed();
  if (failed) await ask("POST", `invocation/${id}/error`, JSON.stringify(failed), failed.errorType);
  else await ask("POST", `invocation/${id}/response`, answer);
}
