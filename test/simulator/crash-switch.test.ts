import { testCrashEverywhere } from './crash-everywhere.ts';

testCrashEverywhere('switch', 'the switch');
