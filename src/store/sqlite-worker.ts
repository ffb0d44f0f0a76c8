import { parentPort, workerData } from 'node:worker_threads';
import { assert, unreachable } from '../base/index.ts';
import { SqliteDatabase, type SqliteOptions } from './sqlite-database.ts';
import { toStoreError } from './sqlite-errors.ts';
import type { WorkerReply, WorkerRequest } from './worker-protocol.ts';

/** Entry point of the thread that owns the database connection: a checkpoint of the log may stall it for 50 ms. */
const port = parentPort;
assert(port !== null, 'sqlite-worker runs in a worker thread');
const options: SqliteOptions = workerData;
const database = new SqliteDatabase(options);

function handle(request: WorkerRequest): unknown {
  switch (request.kind) {
    case 'open':
      return database.open(request.hostname, request.now);
    case 'reopen':
      return database.reopen(request.hostname, request.epoch);
    case 'commit':
      return database.commit(request.operations);
    case 'loadRecovery':
      return database.loadRecovery(request.hostname);
    case 'loadRegistrations':
      return database.loadRegistrations(request.hostname);
    case 'loadRuns':
      return database.loadRuns(request.hostname, request.limit);
    case 'close':
      return database.close();
    default:
      return unreachable(request);
  }
}

port.on('message', (request: WorkerRequest) => {
  let reply: WorkerReply;
  try {
    reply = { id: request.id, result: handle(request) };
  } catch (error) {
    const { code, message, where, fix } = toStoreError(error, options.path);
    reply = { id: request.id, error: { code, message, where, fix } };
  }
  port.postMessage(reply);
  if (request.kind === 'close') port.close();
});
