export { checkConfig } from './check.ts';
export type {
  CodecPreference,
  ConferenceProfile,
  Config,
  ConfigWarning,
  CoreDatabase,
  DirectoryDomain,
  DirectoryUser,
  EventSocketConfig,
  GatewayConfig,
  SipProfile,
  SourcePosition,
} from './config.ts';
export type { ConditionBreak, DialplanAction, DialplanCondition, DialplanContext, DialplanExtension } from './dialplan-xml.ts';
export { type ConfigFiles, nodeConfigFiles } from './files.ts';
export { type LoadOptions, loadConfig } from './load.ts';
export { compileExpression } from './regular-expression.ts';
