export type {
  Config,
  DirectoryUser,
  EventSocketConfig,
  SipProfile,
} from './config.ts';
export type { DialplanAction, DialplanCondition, DialplanContext, DialplanExtension } from './dialplan-xml.ts';
export type { ConfigFiles } from './files.ts';
export { type LoadOptions, loadConfig } from './load.ts';
export { compileExpression } from './regular-expression.ts';
