export {
  ALLOW,
  allowedMethods,
  contactUri,
  type DialogRecord,
  dialogDestination,
  dialogFromInvite,
  dialogRequest,
  type LocalParty,
  type RequestParts,
  refreshTarget,
  updateFromResponse,
  viaValue,
} from './dialog.ts';
