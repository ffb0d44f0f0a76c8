export { type ConsoleClientOptions, runConsoleClient } from './client.ts';
export { type CommandRegistry, type CommandRegistryOptions, createCommandRegistry } from './command/registry.ts';
export { EventSocketServer, type EventSocketServerOptions } from './esl/server.ts';
export type {
  ChannelView,
  ConferenceView,
  GatewayView,
  ProfileView,
  RecoveredCallView,
  RecoveryRunView,
  RegistrationView,
  SwitchEvent,
  SwitchView,
} from './switch-view.ts';
