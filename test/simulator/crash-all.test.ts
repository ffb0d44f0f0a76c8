import { testCrashEverywhere } from './crash-everywhere.ts';

testCrashEverywhere('all', 'everything');
