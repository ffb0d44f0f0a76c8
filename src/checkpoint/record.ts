export {
  type ApplicationRecord,
  type CallerProfileRecord,
  type ConferenceMemberRecord,
  type DialogRecord,
  type DigitCollectionRecord,
  type ExecutionRecord,
  type LegRecord,
  type MediaRecord,
  RECORD_VERSION,
  type ScheduledHangupRecord,
  type TimesRecord,
} from '../call/index.ts';
