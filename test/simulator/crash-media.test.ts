import { testCrashEverywhere } from './crash-everywhere.ts';

testCrashEverywhere('media', 'media');
