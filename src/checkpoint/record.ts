export {
  type ApplicationRecord,
  type CallerProfileRecord,
  type ConferenceMemberRecord,
  type DialogRecord,
  type ExecutionRecord,
  type LegRecord,
  type MediaRecord,
  RECORD_VERSION,
  type TimesRecord,
} from '../call/index.ts';
