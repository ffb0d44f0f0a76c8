export { checkAccess } from './access-list.ts';
export { KNOWN_APPLICATIONS } from './application-names.ts';
export { parseCodecPreferences } from './codec-preferences.ts';
export type {
  AccessList,
  Config,
  DirectoryUser,
  EventSocketConfig,
  SipProfile,
} from './config.ts';
export type { DialplanAction, DialplanCondition, DialplanContext, DialplanExtension, DialplanRegex } from './dialplan-xml.ts';
export type { ConfigFiles } from './files.ts';
export { type LoadOptions, loadConfig } from './load.ts';
export { compileExpression } from './regular-expression.ts';
