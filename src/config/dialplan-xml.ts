import type { SourcePosition } from './config.ts';

/** `<action>` or `<anti-action>`. */
export interface DialplanAction {
  readonly application: string;
  readonly data: string;
  readonly inline: boolean;
  /** `loop`: how often it is collected; absent = once. */
  readonly loop?: number;
  readonly position: SourcePosition;
}

export type ConditionBreak = 'on-false' | 'on-true' | 'always' | 'never';

/** `<regex>` inside a condition with `regex="all|any|xor"`. A null field with no time attribute is true. */
export interface DialplanRegex {
  readonly field: string | null;
  readonly expression: string;
  readonly timeAttributes: ReadonlyMap<string, string>;
}

/** `<condition>`. A null field is an unconditional one. */
export interface DialplanCondition {
  readonly field: string | null;
  readonly expression: string | null;
  readonly break: ConditionBreak;
  /** `wday`, `time-of-day`, … as written. */
  readonly timeAttributes: ReadonlyMap<string, string>;
  readonly actions: readonly DialplanAction[];
  readonly antiActions: readonly DialplanAction[];
  readonly nested: readonly DialplanCondition[];
  /** `regex="…"` with its children; then field and expression are not looked at. */
  readonly regex?: { readonly mode: 'all' | 'any' | 'xor'; readonly tests: readonly DialplanRegex[] };
  /** `require-nested="false"`: the nested conditions give actions, but their outcome does not count. Absent = true. */
  readonly requireNested?: boolean;
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
