import { runMedia } from '../../src/media/main.ts';

const [stateDirectory, portable] = process.argv.slice(2);
if (stateDirectory === undefined) throw new Error('usage: run-media.ts STATE_DIRECTORY [portable]');
runMedia({ stateDirectory, portable: portable === 'portable' });
