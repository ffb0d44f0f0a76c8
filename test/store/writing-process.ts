import { SqliteStore } from '../../src/store/index.ts';
import { ourRow } from './suite.ts';

/** Saves rows for ever and prints the name of each one that the store has acknowledged; its parent kills it. */
const store = new SqliteStore({ path: process.argv[2] ?? '', clock: { wallMicroseconds: () => 1 } });
const { epoch } = await store.open('node1');
for (let index = 0; ; index += 1) {
  await store.commit([{ kind: 'save', row: ourRow(`leg-${epoch}-${index}`, epoch) }]);
  process.stdout.write(`leg-${epoch}-${index}\n`);
}
