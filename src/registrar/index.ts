export {
  Authenticator,
  type AuthenticatorOptions,
  type FindUser,
  NONCE_LIFETIME_MICROSECONDS,
  type Verification,
} from './authenticator.ts';
export { type ContactRoute, type ExpiryLimits, routeToContact } from './binding.ts';
export { MAXIMUM_REGISTRATIONS, type RegisterResult, Registrar, type RegistrarOptions, type RegistrationChange } from './registrar.ts';
