export {
  Authenticator,
  NONCE_LIFETIME_MICROSECONDS,
  type Verification,
} from './authenticator.ts';
export { routeToContact } from './binding.ts';
export { type RegisterResult, Registrar } from './registrar.ts';
