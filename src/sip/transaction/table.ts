/**
 * A state machine as data: state × input → [next state, actions in order]. An input without an entry is ignored in that state,
 * which is what RFC 3261 says of it where it says nothing.
 */
export type TransitionTable<State extends string, Input extends string, Action extends string> = Readonly<
  Record<State, Readonly<Partial<Record<Input, readonly [State, ...Action[]]>>>>
>;
