import type { SourcePosition } from './config.ts';

/** `<action>` or `<anti-action>`. */
export interface DialplanAction {
  readonly application: string;
  readonly data: string;
  readonly inline: boolean;
  readonly position: SourcePosition;
}

export type ConditionBreak = 'on-false' | 'on-true' | 'always' | 'never';

/** `<condition>`. A null field is an unconditional one. */
export interface DialplanCondition {
  readonly field: string | null;
  readonly expression: string | null;
  readonly break: ConditionBreak;
  /** `wday`, `time-of-day`, … as written; not yet evaluated ones are warned of. */
  readonly timeAttributes: ReadonlyMap<string, string>;
  readonly actions: readonly DialplanAction[];
  readonly antiActions: readonly DialplanAction[];
  readonly nested: readonly DialplanCondition[];
  readonly position: SourcePosition;
}

export interface DialplanExtension {
  readonly name: string;
  readonly continue: boolean;
  readonly conditions: readonly DialplanCondition[];
  readonly position: SourcePosition;
}

export interface DialplanContext {
  readonly name: string;
  readonly extensions: readonly DialplanExtension[];
}
